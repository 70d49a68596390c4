//! Codecs that are left alone for a while: they have missed an answer, or took up an operation's time.

use crate::spec::verbs::CodecAddress;

/// STATESTS has 15 bits.
pub(super) const CODECS: usize = 15;
/// A codec is left alone so long at first, in milliseconds.
const FIRST_MS: u16 = 100;
/// And so long at most: each time is twice the one before.
const LONGEST_MS: u16 = 10_000;

/// For each codec, until when it is left alone.
#[derive(Default)]
pub(super) struct Absences {
    /// A codec is asked again from then on.
    until_ns: [u64; CODECS],
    /// How long it was left alone the last time, in milliseconds. 0: never.
    length_ms: [u16; CODECS],
}

impl Absences {
    /// The rest of the time for which a codec is left alone, in nanoseconds.
    pub(super) fn left_ns(&self, codec: CodecAddress, now_ns: u64) -> Option<u64> {
        let until_ns = self.until_ns.get(usize::from(codec.get()))?;
        until_ns.checked_sub(now_ns).filter(|left_ns| *left_ns > 0)
    }

    /// A codec has answered. Once it answers for longer than it was left alone, the next time begins anew.
    pub(super) fn note_answer(&mut self, codec: CodecAddress, now_ns: u64) {
        let at = usize::from(codec.get());
        let (Some(until_ns), Some(length_ms)) = (self.until_ns.get(at), self.length_ms.get_mut(at)) else {
            return;
        };
        if now_ns.saturating_sub(*until_ns) > nanos(*length_ms) {
            *length_ms = 0;
        }
    }

    /// Leaves a codec alone from now on, and returns for how long, in milliseconds: twice as long as the last time.
    pub(super) fn begin(&mut self, codec: CodecAddress, now_ns: u64) -> u16 {
        let at = usize::from(codec.get());
        let (Some(until_ns), Some(length_ms)) = (self.until_ns.get_mut(at), self.length_ms.get_mut(at))
        else {
            return 0;
        };
        *length_ms = match *length_ms {
            0 => FIRST_MS,
            last_ms => last_ms.saturating_mul(2).min(LONGEST_MS),
        };
        *until_ns = now_ns.saturating_add(nanos(*length_ms));
        *length_ms
    }

    /// Gives all codecs another chance.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

fn nanos(ms: u16) -> u64 {
    u64::from(ms).saturating_mul(1_000_000)
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::arithmetic_side_effects, reason = "tests may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_codec_is_left_alone_for_longer_each_time_until_it_has_answered_for_as_long() {
        let mut absences = Absences::default();
        let codec = CodecAddress::new(3).expect("an address");
        let mut now_ns = 7;
        let mut lengths = std::vec::Vec::new();
        for _ in 0..9 {
            let length_ms = absences.begin(codec, now_ns);
            let length_ns = u64::from(length_ms) * 1_000_000;
            lengths.push(length_ms);
            assert_eq!(absences.left_ns(codec, now_ns), Some(length_ns));
            assert_eq!(absences.left_ns(CodecAddress::new(2).expect("an address"), now_ns), None);
            now_ns += length_ns;
            assert_eq!(absences.left_ns(codec, now_ns), None);
        }
        assert_eq!(lengths, [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
        // An answer right after is not enough, and neither is time without one.
        absences.note_answer(codec, now_ns);
        assert_eq!(absences.begin(codec, now_ns + 30_000_000_000), LONGEST_MS);
        now_ns += 40_000_000_000;
        absences.note_answer(codec, now_ns + 10_000_000_001);
        assert_eq!(absences.begin(codec, now_ns + 10_000_000_002), FIRST_MS);
        absences.forget();
        assert_eq!(absences.left_ns(codec, now_ns), None);
    }
}
