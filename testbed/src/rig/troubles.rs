//! Troubles that show on Xen's console alone.

/// Words of a trouble, and its name.
const TROUBLES: &[(&str, &str)] = &[
    ("Panic on CPU", "Xen panicked"),
    ("Xen BUG at", "Xen has a bug"),
    ("IO_PAGE_FAULT", "the IOMMU refused an access of a device (AMD-Vi)"),
    ("DMAR:[", "the IOMMU refused an access of a device (VT-d)"),
    ("domain_crash called from", "Xen ended a domain"),
    ("crashed on cpu", "Xen ended a domain"),
    ("Kernel panic - not syncing", "dom0's kernel panicked"),
    ("Oops: ", "dom0's kernel stumbled"),
    ("BUG: ", "dom0's kernel has a bug"),
    ("blocked for more than", "dom0's kernel hangs"),
    ("Out of memory: ", "dom0 has too little memory"),
];

/// The first trouble on a console: what it is, and the line.
pub(super) fn first(console: &str) -> Option<String> {
    console.lines().find_map(|line| {
        // A line `(d1) text` is a domain's own, printed by Xen.
        let is_guest = line.starts_with("(d");
        let (_, what) = TROUBLES.iter().find(|(words, _)| !is_guest && line.contains(words))?;
        Some(format!("{what}: {}", line.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::first;

    #[test]
    fn troubles_are_found() {
        for line in [
            "(XEN) [    9.1] AMD-Vi: IO_PAGE_FAULT: 0000:00:1b.0 d1 addr 0000000040000000 flags 0x20 I",
            "(XEN) [VT-D]DMAR:[DMA Write] Request device [0000:00:1b.0] fault addr 40000000",
            "(XEN) domain_crash called from svm.c:2700",
            "(XEN) Domain 3 (vcpu#0) crashed on cpu#0:",
            "(XEN) Panic on CPU 0:",
            "[    1.0] Kernel panic - not syncing: Attempted to kill init!",
        ] {
            let console = format!("(XEN) fine\n{line}\r\nmore\n");
            assert!(first(&console).is_some_and(|found| found.contains(line)), "{line}");
        }
    }

    #[test]
    fn what_domains_say_and_what_is_usual_is_none() {
        for line in [
            "(d1) [ 8.1] Panic on CPU",
            "(XEN) [ 0.1] AMD-Vi: IOMMU 0 Enabled.",
            "(XEN) Intel VT-d Snoop Control enabled.",
            "[    0.1] AMD-Vi: AMD IOMMUv2 functionality not available on this system - This is not a bug.",
            "[    0.1] DMAR: Host address width 39",
        ] {
            assert_eq!(first(line), None, "{line}");
        }
    }
}
