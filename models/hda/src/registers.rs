//! The register file: addresses, and the effects of reads and writes (specification 3.3).

use crate::command::{
    MEMORY_ERROR, OVERRUN_INTERRUPT, RESPONSE_INTERRUPT, RESPONSE_OVERRUN, RING_INTERRUPT, RING_RUN,
};
use crate::machine::Machine;
use crate::stream_registers::StreamRegister;
use crate::violations::Rule;

/// Least time for which CRST must stay 0 (4.2.2).
const RESET_HOLD_NS: u64 = 100_000;

/// Offset of the first stream descriptor, and the distance between descriptors.
const STREAMS: u16 = 0x80;
const STREAM_STRIDE: u16 = 0x20;

/// Offset of the page of aliases.
const ALIASES: u16 = 0x2000;

/// A register, decoded from an offset and an access width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Register {
    Capabilities,
    VersionMinor,
    VersionMajor,
    OutputPayload,
    InputPayload,
    Control,
    WakeEnable,
    StateStatus,
    Status,
    /// Reads 0; writes do nothing.
    Reserved,
    InterruptControl,
    InterruptStatus,
    WallClock,
    StreamSync,
    CorbLower,
    CorbUpper,
    CorbWrite,
    CorbRead,
    CorbControl,
    CorbStatus,
    CorbSize,
    RirbLower,
    RirbUpper,
    RirbWrite,
    ResponseCount,
    RirbControl,
    RirbStatus,
    RirbSize,
    ImmediateCommand,
    ImmediateResponse,
    ImmediateStatus,
    PositionLower,
    PositionUpper,
    Stream(usize, StreamRegister),
}

impl Machine {
    /// The register of this width at an offset, if any.
    fn decode(&self, offset: u16, bytes: u8) -> Option<Register> {
        use Register as R;
        if offset >= ALIASES {
            let register = self.decode(offset - ALIASES, bytes).filter(|_| offset < 2 * ALIASES)?;
            let mirrored = matches!(register, R::WallClock | R::Stream(_, StreamRegister::LinkPosition));
            return (mirrored || self.profile.aliases_everything).then_some(register);
        }
        if offset >= STREAMS {
            let index = usize::from((offset - STREAMS) / STREAM_STRIDE);
            let register = StreamRegister::decode((offset - STREAMS) % STREAM_STRIDE, bytes)?;
            return (index < self.engines.len()).then_some(R::Stream(index, register));
        }
        let rings = |register| if self.profile.rings { register } else { R::Reserved };
        let immediate = |register| if self.profile.immediate_commands { register } else { R::Reserved };
        Some(match (offset, bytes) {
            (0x00, 2) => R::Capabilities,
            (0x02, 1) => R::VersionMinor,
            (0x03, 1) => R::VersionMajor,
            (0x04, 2) => R::OutputPayload,
            (0x06, 2) => R::InputPayload,
            (0x08, 4) => R::Control,
            (0x0c, 2) => R::WakeEnable,
            (0x0e, 2) => R::StateStatus,
            (0x10, 2) => R::Status,
            // GCAP2, LLCH and stream payload limits come from later revisions. They read 0 here.
            (0x12 | 0x14 | 0x18 | 0x1a, 2) => R::Reserved,
            (0x20, 4) => R::InterruptControl,
            (0x24, 4) => R::InterruptStatus,
            (0x30, 4) => R::WallClock,
            (0x34 | 0x38, 4) if self.profile.stream_sync_offset == Some(offset) => R::StreamSync,
            (0x34 | 0x38, 4) => R::Reserved,
            (0x40, 4) => rings(R::CorbLower),
            (0x44, 4) => rings(R::CorbUpper),
            (0x48, 2) => rings(R::CorbWrite),
            (0x4a, 2) => rings(R::CorbRead),
            (0x4c, 1) => rings(R::CorbControl),
            (0x4d, 1) => rings(R::CorbStatus),
            (0x4e, 1) => rings(R::CorbSize),
            (0x50, 4) => rings(R::RirbLower),
            (0x54, 4) => rings(R::RirbUpper),
            (0x58, 2) => rings(R::RirbWrite),
            (0x5a, 2) => rings(R::ResponseCount),
            (0x5c, 1) => rings(R::RirbControl),
            (0x5d, 1) => rings(R::RirbStatus),
            (0x5e, 1) => rings(R::RirbSize),
            (0x60, 4) => immediate(R::ImmediateCommand),
            (0x64, 4) => immediate(R::ImmediateResponse),
            (0x68, 2) => immediate(R::ImmediateStatus),
            (0x70, 4) => R::PositionLower,
            (0x74, 4) => R::PositionUpper,
            _ => return None,
        })
    }

    /// Reads `bytes` bytes, once the access time has passed.
    pub(crate) fn read(&mut self, offset: u16, bytes: u8) -> u32 {
        use Register as R;
        if self.faults.off_the_bus {
            return u32::MAX;
        }
        let Some(register) = self.decode(offset, bytes) else {
            self.breach(Rule::AccessWidth, || format!("read of {bytes} bytes at {offset:#06x}"));
            return 0;
        };
        match register {
            R::Capabilities => self.capabilities(),
            R::VersionMinor | R::Reserved => 0,
            R::VersionMajor => 1,
            R::OutputPayload => self.profile.output_payload_words.into(),
            R::InputPayload => self.profile.input_payload_words.into(),
            R::Control => {
                u32::from(self.controller.reset_released.reads) | u32::from(self.controller.unsolicited) << 8
            }
            R::WakeEnable => self.controller.wake_enable.into(),
            R::StateStatus => {
                if self.controller.is_up() && !self.controller.codecs_reported {
                    let early_ns = self.controller.codecs_ready_ns.saturating_sub(self.now_ns);
                    self.breach(Rule::CodecsNotReady, || format!("STATESTS read {early_ns} ns early"));
                }
                self.controller.state_status.into()
            }
            R::Status => u32::from(self.controller.flush_status) << 1,
            R::InterruptControl => self.controller.interrupt_control,
            R::InterruptStatus => self.interrupt_status(),
            R::WallClock => self.read_wall_clock(),
            R::StreamSync => self.controller.stream_sync,
            R::CorbLower => self.command.corb_address as u32,
            R::CorbUpper => (self.command.corb_address >> 32) as u32,
            R::CorbWrite => self.command.corb_write.into(),
            R::CorbRead => {
                u32::from(self.command.corb_read) | u32::from(self.command.corb_pointer_reset) << 15
            }
            R::CorbControl => self.command.corb_control.into(),
            R::CorbStatus => self.command.corb_status.into(),
            R::CorbSize => u32::from(self.command.corb_size | self.profile.ring_size_capability << 4),
            R::RirbLower => self.command.rirb_address as u32,
            R::RirbUpper => (self.command.rirb_address >> 32) as u32,
            R::RirbWrite => self.command.rirb_write.into(),
            R::ResponseCount => self.command.response_count.into(),
            R::RirbControl => self.command.rirb_control.into(),
            R::RirbStatus => self.command.rirb_status.into(),
            R::RirbSize => u32::from(self.command.rirb_size | self.profile.ring_size_capability << 4),
            R::ImmediateCommand => self.command.immediate_command,
            R::ImmediateResponse => self.command.immediate_response,
            R::ImmediateStatus => {
                u32::from(self.command.immediate_busy) | u32::from(self.command.immediate_valid) << 1
            }
            R::PositionLower => {
                self.controller.position_address as u32 | u32::from(self.controller.position_enabled)
            }
            R::PositionUpper => (self.controller.position_address >> 32) as u32,
            R::Stream(index, register) => self.read_stream(index, register),
        }
    }

    /// Writes `bytes` bytes, once the access time has passed.
    pub(crate) fn write(&mut self, offset: u16, bytes: u8, value: u32) {
        use Register as R;
        if self.faults.off_the_bus {
            return;
        }
        let decoded =
            self.decode(offset, bytes).filter(|_| offset < ALIASES || self.profile.aliases_everything);
        let Some(register) = decoded else {
            self.breach(Rule::AccessWidth, || format!("write of {bytes} bytes at {offset:#06x}"));
            return;
        };
        let works_in_reset = matches!(register, R::Control | R::WakeEnable | R::StateStatus);
        if !works_in_reset && !self.controller.is_up() {
            self.breach(Rule::InReset, || format!("write of {value:#x} at {offset:#06x} while CRST reads 0"));
            return;
        }
        match register {
            R::Capabilities
            | R::VersionMinor
            | R::VersionMajor
            | R::OutputPayload
            | R::InputPayload
            | R::InterruptStatus
            | R::WallClock
            | R::ImmediateResponse => {
                self.breach(Rule::ReadOnly, || format!("write of {value:#x} at {offset:#06x}"));
            }
            R::Reserved => {}
            R::Control => self.write_control(value),
            R::WakeEnable => self.controller.wake_enable = value as u16 & 0x7fff,
            R::StateStatus => self.controller.state_status &= !(value as u16),
            R::Status => self.controller.flush_status &= value & 2 == 0,
            R::InterruptControl => {
                self.controller.interrupt_control = value & (0xc000_0000 | self.stream_bits())
            }
            R::StreamSync => self.controller.stream_sync = value & self.stream_bits(),
            R::PositionLower | R::PositionUpper => {
                self.write_position_address(register == R::PositionUpper, value)
            }
            R::Stream(index, register) => self.write_stream(index, register, value),
            _ => self.write_command(register, value),
        }
    }

    fn capabilities(&self) -> u32 {
        let profile = &self.profile;
        (profile.output_streams as u32) << 12
            | (profile.input_streams as u32) << 8
            | (profile.bidirectional_streams as u32) << 3
            | u32::from(profile.addresses_64bit)
    }

    /// One bit for each stream descriptor.
    fn stream_bits(&self) -> u32 {
        (1_u32 << self.engines.len()) - 1
    }

    /// INTSTS: pending interrupts. The top bit is set if INTCTL enables any of them.
    fn interrupt_status(&self) -> u32 {
        let controller =
            self.command.interrupts() || self.controller.state_status & self.controller.wake_enable != 0;
        let streams = self.engines.iter().fold(0, |bits, engine| {
            let enables = if self.profile.status_gated_by_enables { engine.control as u8 } else { 0x1c };
            bits | u32::from(engine.status & enables & 0x1c != 0) << engine.index
        });
        let status = u32::from(controller) << 30 | streams;
        let enabled = status & self.controller.interrupt_control & 0x7fff_ffff;
        status | u32::from(enabled != 0) << 31
    }

    pub(crate) fn interrupt_pending(&self) -> bool {
        let all = self.controller.interrupt_control >> 31 != 0;
        all && self.interrupt_status() >> 31 != 0
    }

    fn write_control(&mut self, value: u32) {
        let release = value & 1 != 0;
        let was_released = self.controller.reset_released.requested;
        if release {
            if !was_released {
                self.leave_reset();
            } else if self.controller.is_up() {
                self.controller.unsolicited = value & 1 << 8 != 0;
                // FCNTRL: writes reach memory at once in this model, so a flush completes
                // immediately.
                self.controller.flush_status |= value & 2 != 0;
            }
            return;
        }
        if was_released {
            self.enter_reset();
        }
    }

    fn enter_reset(&mut self) {
        if self.engines.iter().any(crate::engine::Engine::is_active) {
            self.breach(Rule::ResetWhileRunning, || "CRST cleared while a stream runs".into());
        }
        if self.command.corb_running() || self.command.rirb_running() {
            self.breach(Rule::ResetWhileRunning, || "CRST cleared while CORB or RIRB runs".into());
        }
        self.controller.reset();
        let bit = &mut self.controller.reset_released;
        bit.requested = false;
        bit.settles_ns = self.now_ns + self.profile.reset_enter_ns;
        self.controller.reset_since_ns = Some(self.now_ns);
        self.controller.codecs_reported = false;
        self.command = crate::command::Command::new(self.profile.ring_size_capability);
        for engine in &mut self.engines {
            engine.stop_at_once();
            engine.reset();
            engine.reset_requested = false;
            engine.reset_reads = false;
            engine.size_fifo(&self.profile);
        }
        if !self.profile.codec_state_survives_reset {
            self.link.all_codecs().for_each(crate::codec::Codec::reset);
        }
        if self.profile.codecs_report_in_reset {
            self.controller.state_status = self.link.present();
        }
    }

    fn leave_reset(&mut self) {
        let held_ns = self.controller.reset_since_ns.map_or(u64::MAX, |since| self.now_ns - since);
        if held_ns < RESET_HOLD_NS {
            self.breach(Rule::ResetTooShort, || format!("CRST was 0 for {held_ns} ns"));
        }
        let up_ns = self.now_ns + self.profile.reset_leave_ns;
        let bit = &mut self.controller.reset_released;
        bit.requested = true;
        bit.settles_ns = up_ns;
        self.controller.codecs_ready_ns = up_ns + self.profile.codec_wake_ns;
        if self.profile.codecs_report_in_reset {
            // The codecs reported on entry to reset, and don't report again.
            self.controller.codecs_reported = true;
        }
        if !self.profile.wall_clock_survives_reset {
            self.restart_wall_clock();
        }
    }

    fn write_position_address(&mut self, upper: bool, value: u32) {
        if self.engines.iter().any(crate::engine::Engine::is_active) {
            self.breach(Rule::PositionBufferRunning, || {
                format!("DPLBASE or DPUBASE written with {value:#x}")
            });
        }
        let address = self.controller.position_address;
        self.controller.position_address = self.with_half(address, upper, value, 0x7f);
        if !upper {
            self.controller.position_enabled = value & 1 != 0;
            if value & 0x7e != 0 {
                self.breach(Rule::ReservedBits, || format!("DPLBASE {value:#x} isn't a multiple of 128"));
            }
        }
    }

    fn write_command(&mut self, register: Register, value: u32) {
        use Register as R;
        let byte = value as u8;
        match register {
            R::CorbLower | R::CorbUpper | R::CorbSize if self.command.corb_running() => {
                self.ring_runs(register, value, "CORB");
            }
            R::RirbLower | R::RirbUpper | R::RirbSize if self.command.rirb_running() => {
                self.ring_runs(register, value, "RIRB");
            }
            R::CorbLower | R::CorbUpper => {
                self.check_ring_alignment(register == R::CorbLower, value);
                let address = self.command.corb_address;
                self.command.corb_address = self.with_half(address, register == R::CorbUpper, value, 0x7f);
            }
            R::RirbLower | R::RirbUpper => {
                self.check_ring_alignment(register == R::RirbLower, value);
                let address = self.command.rirb_address;
                self.command.rirb_address = self.with_half(address, register == R::RirbUpper, value, 0x7f);
            }
            R::CorbWrite => {
                self.command.corb_write = value as u16 & 0xff;
                self.run_commands_at_once();
            }
            R::CorbRead => self.write_corb_read(value),
            R::CorbControl => {
                self.command.corb_control = byte & (RING_RUN | RING_INTERRUPT);
                self.run_commands_at_once();
            }
            R::CorbStatus => self.command.corb_status &= !(byte & MEMORY_ERROR),
            R::CorbSize => self.command.corb_size = self.ring_size(byte).unwrap_or(self.command.corb_size),
            R::RirbWrite if value & 0x8000 != 0 => {
                if self.command.rirb_running() {
                    self.breach(Rule::RingRunning, || "RIRBWP reset while RIRB runs".into());
                }
                self.command.rirb_write = 0;
            }
            R::ResponseCount => self.command.response_count = byte,
            R::RirbControl => {
                self.command.rirb_control = byte & (RING_RUN | RING_INTERRUPT | OVERRUN_INTERRUPT);
            }
            R::RirbStatus => {
                let clears = byte & self.command.rirb_status & (RESPONSE_INTERRUPT | RESPONSE_OVERRUN);
                self.command.rirb_status &= !clears;
                if clears & RESPONSE_INTERRUPT != 0 && self.profile.corb_waits_for_acknowledge {
                    self.command.acknowledged();
                    self.run_commands_at_once();
                }
            }
            R::RirbSize => self.command.rirb_size = self.ring_size(byte).unwrap_or(self.command.rirb_size),
            R::ImmediateCommand => self.command.immediate_command = value,
            R::ImmediateStatus => self.write_immediate_status(value),
            _ => {}
        }
    }

    fn ring_runs(&mut self, register: Register, value: u32, ring: &str) {
        self.breach(Rule::RingRunning, || format!("{register:?} written with {value:#x} while {ring} runs"));
    }

    fn check_ring_alignment(&mut self, lower: bool, value: u32) {
        if lower && value & 0x7f != 0 {
            self.breach(Rule::ReservedBits, || format!("ring address {value:#x} isn't a multiple of 128"));
        }
    }

    fn write_corb_read(&mut self, value: u32) {
        let reset = value & 0x8000 != 0;
        if reset {
            if self.command.corb_running() {
                self.breach(Rule::RingRunning, || "CORBRP reset while CORB runs".into());
            }
            self.command.corb_read = 0;
        }
        self.command.corb_pointer_reset = reset && !self.faults.corb_pointer_reset_reads_zero;
    }

    /// The size that a write selects, if the controller offers a choice.
    fn ring_size(&mut self, value: u8) -> Option<u8> {
        let capability = self.profile.ring_size_capability;
        let size = value & 3;
        if capability.is_power_of_two() {
            return None;
        }
        let possible = size < 3 && capability >> size & 1 != 0;
        if !possible {
            self.breach(Rule::ReservedBits, || format!("ring size {size}, and {capability:#x} are possible"));
        }
        possible.then_some(size)
    }

    fn write_immediate_status(&mut self, value: u32) {
        if value & 2 != 0 {
            self.command.immediate_valid = false;
        }
        let busy = value & 1 != 0;
        if busy && (self.command.corb_running() || self.command.immediate_busy) {
            self.breach(Rule::ImmediateCommand, || {
                "ICB set while CORB runs or a command is under way".into()
            });
        }
        if busy {
            self.command.start_immediate();
            self.run_commands_at_once();
        } else if self.command.immediate_busy {
            self.command.abandon_immediate();
        }
    }

    fn run_commands_at_once(&mut self) {
        if !self.profile.commands_at_once {
            return;
        }
        let (frame, now_ns) = (self.current_frame(), self.now_ns);
        let format_set_on = self.with_context(frame, now_ns, |moving, cx| moving.command.run_at_once(cx));
        self.format_was_set(format_set_on);
    }
}
