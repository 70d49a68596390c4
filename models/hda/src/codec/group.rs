//! Function groups.

/// Parameters and state of an audio function group.
#[derive(Default)]
pub(crate) struct Group {
    /// Parameter 0x05: type and unsolicited capability.
    pub(crate) function: u32,
    pub(crate) pcm: u32,
    pub(crate) stream_formats: u32,
    pub(crate) amp_in: u32,
    pub(crate) amp_out: u32,
    pub(crate) power_states: u32,
    pub(crate) power: u8,
    pub(crate) default_power: u8,
    /// Parameter 0x11.
    pub(crate) gpio: u32,
    /// GPIO data, enable, direction, wake enable, unsolicited enable, sticky.
    pub(crate) gpio_state: [u8; 6],
    pub(crate) unsolicited: u8,
    pub(crate) delays: u32,
}

/// A function group of another kind: a type, a power state, no widgets.
pub(crate) struct OtherGroup {
    /// Parameter 0x05.
    pub(crate) function: u32,
    pub(crate) power: u8,
}

/// Values from the function group for widgets without their own.
#[derive(Clone, Copy)]
pub(crate) struct Inherited {
    pub(crate) amp_in: u32,
    pub(crate) amp_out: u32,
    pub(crate) pcm: u32,
    /// The function group's power state. No widget can be in a lower-numbered one.
    pub(crate) power: u8,
}

impl Group {
    /// Audio, with unsolicited responses and states D0 to D3, in D3 after a reset.
    pub(crate) fn usual() -> Self {
        Self { function: 0x101, power_states: 0xf, default_power: 3, ..Self::default() }
    }

    pub(super) fn reset(&mut self) {
        self.power = self.default_power;
        self.gpio_state = [0; 6];
        self.unsolicited = 0;
    }

    pub(super) fn inherited(&self) -> Inherited {
        Inherited { amp_in: self.amp_in, amp_out: self.amp_out, pcm: self.pcm, power: self.power }
    }

    /// Answers a verb to the group itself, except for verbs about the whole codec.
    pub(super) fn verb(&mut self, verb: u32) -> u32 {
        let payload = (verb & 0xff) as u8;
        match verb >> 8 & 0xfff {
            0xf05 => return u32::from(self.power) << 4 | u32::from(self.power),
            0x705 => self.power = next_power(self.power, payload, self.power_states),
            0xf08 => return self.unsolicited.into(),
            0x708 => self.unsolicited = payload,
            get @ 0xf15..=0xf1a => return self.gpio_state[(get - 0xf15) as usize].into(),
            set @ 0x715..=0x71a => self.gpio_state[(set - 0x715) as usize] = payload,
            _ => {}
        }
        0
    }
}

impl OtherGroup {
    pub(super) fn verb(&mut self, verb: u32) -> u32 {
        match (verb >> 8 & 0xfff, verb & 0xff) {
            (0xf00, 0x05) => self.function,
            (0xf00, 0x0f) => 0xf,
            (0xf05, _) => u32::from(self.power) << 4 | u32::from(self.power),
            (0x705, state) => {
                self.power = (state & 7) as u8;
                0
            }
            _ => 0,
        }
    }
}

/// The power state after a request. Parameter 0x0f limits it, unless that is 0.
pub(super) fn next_power(now: u8, asked: u8, states: u32) -> u8 {
    let asked = asked & 7;
    let says_states = states & 0x1f != 0;
    if says_states && states >> asked & 1 == 0 { now } else { asked }
}

/// Replaces one byte of a word; `place` 0 is the lowest.
pub(super) fn with_byte(word: u32, place: u32, byte: u32) -> u32 {
    word & !(0xff << (8 * place)) | byte << (8 * place)
}
