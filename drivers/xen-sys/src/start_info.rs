//! The start information of a PVH or HVM guest (arch-x86/hvm/start_info.h); EBX holds its address.

/// `XEN_HVM_START_MAGIC_VALUE`.
pub const MAGIC: u32 = 0x336e_c578;

/// `struct hvm_start_info`, version 1. Addresses are physical; 0 stands for none.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct StartInfo {
    /// [`MAGIC`].
    pub magic: u32,
    /// Version; the fields from `memmap_paddr` on exist from version 1.
    pub version: u32,
    /// xen.h, `SIF_*`.
    pub flags: u32,
    /// Modules in the array.
    pub nr_modules: u32,
    /// Address of an array of [`Module`].
    pub modlist_paddr: u64,
    /// Address of the command line, which ends with a zero byte.
    pub cmdline_paddr: u64,
    /// Address of ACPI's root pointer.
    pub rsdp_paddr: u64,
    /// Address of an array of [`MemoryMapEntry`].
    pub memmap_paddr: u64,
    /// Entries in that array.
    pub memmap_entries: u32,
    /// 0.
    pub reserved: u32,
}
assert_layout!(
    StartInfo, size 56,
    version at 4, flags at 8, nr_modules at 12, modlist_paddr at 16, cmdline_paddr at 24, rsdp_paddr at 32,
    memmap_paddr at 40, memmap_entries at 48,
);

/// `struct hvm_modlist_entry`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Module {
    /// Address.
    pub paddr: u64,
    /// Size in bytes.
    pub size: u64,
    /// Address of its command line; 0 stands for none.
    pub cmdline_paddr: u64,
    /// 0.
    pub reserved: u64,
}
assert_layout!(Module, size 32, size at 8, cmdline_paddr at 16);

/// `struct hvm_memmap_table_entry`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct MemoryMapEntry {
    /// First address.
    pub addr: u64,
    /// Size in bytes.
    pub size: u64,
    /// `MEMMAP_*`.
    pub kind: u32,
    /// 0.
    pub reserved: u32,
}
assert_layout!(MemoryMapEntry, size 24, size at 8, kind at 16);

/// `XEN_HVM_MEMMAP_TYPE_RAM`.
pub const MEMMAP_RAM: u32 = 1;
/// `XEN_HVM_MEMMAP_TYPE_RESERVED`.
pub const MEMMAP_RESERVED: u32 = 2;
