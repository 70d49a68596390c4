//! A scanner that reads a line from left to right.

/// The reason for refusing a line, in words.
pub(super) type Reason = String;

/// The unread rest of a line.
#[derive(Clone, Copy)]
pub(super) struct Scan<'a>(&'a str);

impl<'a> Scan<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self(text)
    }

    pub(super) fn rest(self) -> &'a str {
        self.0
    }

    pub(super) fn skip_spaces(&mut self) {
        self.0 = self.0.trim_start();
    }

    /// Takes `word` if it comes next.
    pub(super) fn try_take(&mut self, word: &str) -> bool {
        let rest = self.0.strip_prefix(word);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// Takes `word`; an error if it doesn't come next.
    pub(super) fn take(&mut self, word: &str) -> Result<(), Reason> {
        if self.try_take(word) { Ok(()) } else { Err(format!("{word:?} is missing before {:?}", self.0)) }
    }

    /// Takes the longest run of digits of a base.
    fn digits(&mut self, base: u32) -> Result<u32, Reason> {
        let end = self.0.find(|c: char| !c.is_digit(base)).unwrap_or(self.0.len());
        let (digits, rest) = self.0.split_at(end);
        let value = u32::from_str_radix(digits, base);
        let value = value.map_err(|_| format!("a 32-bit number is missing before {:?}", self.0))?;
        self.0 = rest;
        Ok(value)
    }

    /// Takes a hexadecimal number with its `0x`.
    pub(super) fn hex(&mut self) -> Result<u32, Reason> {
        self.take("0x")?;
        self.digits(16)
    }

    /// Takes a hexadecimal number without `0x`.
    pub(super) fn bare_hex(&mut self) -> Result<u32, Reason> {
        self.digits(16)
    }

    pub(super) fn decimal(&mut self) -> Result<u32, Reason> {
        self.digits(10)
    }

    /// Takes a hexadecimal number that the rest of the line spells out after a colon.
    pub(super) fn spelt_out_hex(&mut self) -> Result<u32, Reason> {
        let value = self.hex()?;
        self.take(":")?;
        self.take_rest();
        Ok(value)
    }

    /// Takes everything to the end of the line.
    pub(super) fn take_rest(&mut self) -> &'a str {
        std::mem::take(&mut self.0)
    }

    /// Takes `key=` and a decimal number of at most `most`.
    pub(super) fn decimal_of(&mut self, key: &str, most: u32) -> Result<u32, Reason> {
        self.take(key)?;
        self.take("=")?;
        let value = self.decimal()?;
        if value <= most { Ok(value) } else { Err(format!("{key} is {value}, over {most}")) }
    }

    /// Takes `key=` and 0 or 1.
    pub(super) fn flag_of(&mut self, key: &str) -> Result<bool, Reason> {
        Ok(self.decimal_of(key, 1)? == 1)
    }

    /// Takes `key=` and a hexadecimal number with its `0x`.
    pub(super) fn hex_of(&mut self, key: &str) -> Result<u32, Reason> {
        self.take(key)?;
        self.take("=")?;
        self.hex()
    }

    /// Takes everything up to and including `mark`; returns the text before it.
    pub(super) fn until(&mut self, mark: &str) -> Result<&'a str, Reason> {
        let (text, rest) =
            self.0.split_once(mark).ok_or_else(|| format!("{mark:?} is missing in {:?}", self.0))?;
        self.0 = rest;
        Ok(text)
    }

    /// Refuses any rest but spaces.
    pub(super) fn end(self) -> Result<(), Reason> {
        if self.0.trim().is_empty() { Ok(()) } else { Err(format!("unexpected {:?}", self.0)) }
    }
}

/// Converts a number to a smaller type, or refuses it.
pub(super) fn narrow<T: TryFrom<u32>>(value: u32, what: &str) -> Result<T, Reason> {
    T::try_from(value).map_err(|_| format!("{what} can't be {value:#x}"))
}
