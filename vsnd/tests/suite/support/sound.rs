//! Samples to play, and the check that a codec has played them.

use snd_hda_model::Model;

/// Samples of which each differs from its neighbours, and none is 0.
pub fn noise(frames: usize, seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    let byte = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as u8 | 1
    };
    std::iter::repeat_with(byte).take(frames * 4).collect()
}

/// Asserts that a codec has played these samples, without a gap, from frame `from` on. Returns the
/// frame after them.
pub fn assert_heard(model: &Model, codec: usize, from: usize, samples: &[u8]) -> usize {
    let heard = model.played(codec, 2);
    let heard = heard.samples();
    let sent: Vec<i32> = samples.chunks(2).map(|s| i16::from_le_bytes([s[0], s[1]]).into()).collect();
    let first = sent[0];
    let at = heard.iter().skip(from * 2).position(|sample| *sample == first).expect("the first sample");
    let at = from * 2 + at;
    assert!(heard.len() >= at + sent.len(), "{} of {} samples", heard.len() - at, sent.len());
    let differs = heard[at..].iter().zip(&sent).position(|(heard, sent)| heard != sent);
    assert_eq!(differs, None, "codec {codec}: the first sample that differs");
    (at + sent.len()) / 2
}
