//! Vendors of codecs.

/// Vendors by the upper half of a codec's number, which is their number on PCI.
const VENDORS: [(u16, &str); 17] = [
    (0x1002, "ATI, AMD"),
    (0x1013, "Cirrus Logic"),
    (0x1057, "Motorola"),
    (0x1095, "Silicon Image"),
    (0x10de, "Nvidia"),
    (0x10ec, "Realtek"),
    (0x1102, "Creative"),
    (0x1106, "VIA"),
    (0x111d, "IDT"),
    (0x11c1, "LSI, Agere"),
    (0x11d4, "Analog Devices"),
    (0x13f6, "C-Media"),
    (0x14f1, "Conexant"),
    (0x17e8, "Chrontel"),
    (0x1aec, "Wolfson"),
    (0x8086, "Intel"),
    (0x8384, "SigmaTel"),
];

/// The vendor's name, or its number where it isn't known.
pub(super) fn vendor(vendor_id: u32) -> String {
    let number = vendor_id >> 16;
    let known = VENDORS.iter().find(|(id, _)| u32::from(*id) == number);
    known.map_or_else(|| format!("{number:04x}"), |(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::vendor;

    #[test]
    fn vendors_have_names_where_they_are_known() {
        assert_eq!(vendor(0x10ec_0269), "Realtek");
        assert_eq!(vendor(0x1234_5678), "1234");
        assert_eq!(vendor(7), "0000");
    }
}
