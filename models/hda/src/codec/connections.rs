//! Connection lists and their coding (7.3.3.3, 7.3.4.11).

/// The coding of a codec's connection lists.
///
/// A list with a node over 127 is always in a long form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionForm {
    /// 8 bits an entry, one node each.
    Short,
    /// 16 bits an entry, one node each.
    Long,
    /// 8 bits an entry, with ranges for consecutive nodes.
    ShortRanges,
    /// 16 bits an entry, with ranges for consecutive nodes.
    LongRanges,
}

/// A coded list.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionList {
    /// The end of a range has its top bit set: 0x80, or 0x8000 in long form.
    pub(crate) entries: Vec<u16>,
    pub(crate) long: bool,
}

impl ConnectionList {
    /// Codes nodes in short form, or in long form if necessary.
    pub(crate) fn of(nodes: &[u8]) -> Self {
        Self::coded(nodes, ConnectionForm::Short)
    }

    pub(super) fn in_form(&self, form: ConnectionForm) -> Self {
        Self::coded(&self.nodes(), form)
    }

    fn coded(nodes: &[u8], form: ConnectionForm) -> Self {
        use ConnectionForm::{Long, LongRanges, ShortRanges};
        let long = matches!(form, Long | LongRanges) || nodes.iter().any(|&node| node > 127);
        let ranges = matches!(form, ShortRanges | LongRanges);
        let range_bit = if long { 0x8000 } else { 0x80 };
        let mut entries = Vec::new();
        let mut rest = nodes;
        while let [first, ..] = *rest {
            let follow = rest.windows(2).take_while(|pair| pair[0].checked_add(1) == Some(pair[1]));
            let run = if ranges { 1 + follow.count() } else { 1 };
            entries.push(u16::from(first));
            if run > 1 {
                entries.push(range_bit | u16::from(rest[run - 1]));
            }
            rest = &rest[run..];
        }
        Self { entries, long }
    }

    /// The nodes in the list with ranges expanded, at most 255.
    pub(crate) fn nodes(&self) -> Vec<u8> {
        let range_bit = if self.long { 0x8000 } else { 0x80 };
        let mut nodes: Vec<u8> = Vec::new();
        for &entry in &self.entries {
            let node = (entry & !range_bit) as u8;
            match nodes.last() {
                Some(&first) if entry & range_bit != 0 && first < node => nodes.extend(first + 1..=node),
                _ => nodes.push(node),
            }
        }
        nodes.truncate(255);
        nodes
    }

    /// The answer to verb 0xf02: four short entries or two long ones, from `first` on.
    /// 0 past the end.
    pub(super) fn answer(&self, first: usize) -> u32 {
        let (per_answer, bits) = if self.long { (2, 16) } else { (4, 8) };
        let entries = self.entries.iter().skip(first).take(per_answer);
        (0..).zip(entries).fold(0, |word, (place, &entry)| word | u32::from(entry) << (place * bits))
    }

    /// Parameter 0x0e; `stated` replaces the true number of entries.
    pub(super) fn length_word(&self, stated: Option<u8>) -> u32 {
        let entries = stated.unwrap_or(self.entries.len() as u8);
        u32::from(self.long) << 7 | u32::from(entries & 0x7f)
    }
}
