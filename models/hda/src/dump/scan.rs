//! Reading a line from left to right.

/// Why a line can't be read, for people.
pub(super) type Reason = String;

/// What is left of a line.
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

    /// Takes `word`, if it comes next.
    pub(super) fn try_take(&mut self, word: &str) -> bool {
        let rest = self.0.strip_prefix(word);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// Takes `word`, which must come next.
    pub(super) fn take(&mut self, word: &str) -> Result<(), Reason> {
        if self.try_take(word) { Ok(()) } else { Err(format!("{word:?} should stand before {:?}", self.0)) }
    }

    /// The longest run of digits of a base.
    fn digits(&mut self, base: u32) -> Result<u32, Reason> {
        let end = self.0.find(|c: char| !c.is_digit(base)).unwrap_or(self.0.len());
        let (digits, rest) = self.0.split_at(end);
        let value = u32::from_str_radix(digits, base);
        let value = value.map_err(|_| format!("a number of 32 bits should stand before {:?}", self.0))?;
        self.0 = rest;
        Ok(value)
    }

    /// Hexadecimal with its `0x`.
    pub(super) fn hex(&mut self) -> Result<u32, Reason> {
        self.take("0x")?;
        self.digits(16)
    }

    /// Hexadecimal without `0x`.
    pub(super) fn bare_hex(&mut self) -> Result<u32, Reason> {
        self.digits(16)
    }

    pub(super) fn decimal(&mut self) -> Result<u32, Reason> {
        self.digits(10)
    }

    /// `key=` and a decimal number, up to `most`.
    pub(super) fn decimal_of(&mut self, key: &str, most: u32) -> Result<u32, Reason> {
        self.take(key)?;
        self.take("=")?;
        let value = self.decimal()?;
        if value <= most { Ok(value) } else { Err(format!("{key} is {value}, over {most}")) }
    }

    /// `key=` and 0 or 1.
    pub(super) fn flag_of(&mut self, key: &str) -> Result<bool, Reason> {
        Ok(self.decimal_of(key, 1)? == 1)
    }

    /// `key=` and a hexadecimal number with its `0x`.
    pub(super) fn hex_of(&mut self, key: &str) -> Result<u32, Reason> {
        self.take(key)?;
        self.take("=")?;
        self.hex()
    }

    /// Everything up to `mark`, which is taken too.
    pub(super) fn until(&mut self, mark: &str) -> Result<&'a str, Reason> {
        let (text, rest) =
            self.0.split_once(mark).ok_or_else(|| format!("{mark:?} is missing in {:?}", self.0))?;
        self.0 = rest;
        Ok(text)
    }

    /// Nothing but spaces may be left.
    pub(super) fn end(self) -> Result<(), Reason> {
        if self.0.trim().is_empty() { Ok(()) } else { Err(format!("{:?} is too much", self.0)) }
    }
}

/// A number that must fit a smaller type.
pub(super) fn narrow<T: TryFrom<u32>>(value: u32, what: &str) -> Result<T, Reason> {
    T::try_from(value).map_err(|_| format!("{what} can't be {value:#x}"))
}
