//! The fuzzer's bytes as values.

/// Bytes that are read from the front. Past the end all values are 0.
#[derive(Clone, Debug)]
pub(crate) struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes that are left.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The next bytes, at most `length`.
    pub(crate) fn slice(&mut self, length: usize) -> &'a [u8] {
        let (slice, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        slice
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let slice = self.slice(N);
        array[..slice.len()].copy_from_slice(slice);
        array
    }

    pub(crate) fn u8(&mut self) -> u8 {
        u8::from_le_bytes(self.array())
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    pub(crate) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    /// A value of any size: the first byte says how many follow. Small values cost few bytes.
    pub(crate) fn sized(&mut self) -> u64 {
        match self.u8() {
            251 => self.u8().into(),
            252 => self.u16().into(),
            253 => self.u32().into(),
            254 => self.u64(),
            255 => u64::MAX,
            small => small.into(),
        }
    }

    /// One of these.
    pub(crate) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::from(self.u8()) % choices.len()]
    }
}
