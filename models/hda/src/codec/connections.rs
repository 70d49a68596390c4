//! Connection lists and how they are coded (7.3.3.3, 7.3.4.11).

/// How a codec's connection lists are coded. Lists that name a node over 127 are in a long form whatever is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionForm {
    /// 8 bits an entry, each a node.
    Short,
    /// 16 bits an entry, each a node.
    Long,
    /// 8 bits an entry, nodes that follow one another as a range.
    ShortRanges,
    /// 16 bits an entry, nodes that follow one another as a range.
    LongRanges,
}

/// A list as it is coded.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionList {
    /// A range's end has its top bit set: 0x80, or 0x8000 in long form.
    pub(crate) entries: Vec<u16>,
    pub(crate) long: bool,
}

impl ConnectionList {
    /// A list of nodes in short form, or in long form if it must be.
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

    /// The nodes that the list names, ranges spelt out; no more than 255.
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

    /// The answer to verb 0xf02: entries from `first` on, four short or two long ones. Past the end: 0.
    pub(super) fn answer(&self, first: usize) -> u32 {
        let (per_answer, bits) = if self.long { (2, 16) } else { (4, 8) };
        let entries = self.entries.iter().skip(first).take(per_answer);
        (0..).zip(entries).fold(0, |word, (place, &entry)| word | u32::from(entry) << (place * bits))
    }

    /// Parameter 0x0e, of a codec that says that it has `stated` entries.
    pub(super) fn length_word(&self, stated: Option<u8>) -> u32 {
        let entries = stated.unwrap_or(self.entries.len() as u8);
        u32::from(self.long) << 7 | u32::from(entries & 0x7f)
    }
}
