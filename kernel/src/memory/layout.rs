//! The addresses of the image's parts, set by `linker.ld`.
#![allow(unsafe_code, reason = "leaf: takes the addresses of the linker's symbols")]

use super::range::PhysRange;

unsafe extern "C" {
    static __image_start: u8;
    static __text_start: u8;
    static __text_end: u8;
    static __rodata_start: u8;
    static __rodata_end: u8;
    static __data_start: u8;
    static __loaded_end: u8;
    static __data_end: u8;
    static __stack_bottom: u8;
    static __stack_top: u8;
    static __fault_stack_1_bottom: u8;
    static __fault_stack_1_top: u8;
    static __fault_stack_2_bottom: u8;
    static __fault_stack_2_top: u8;
    static __fault_stack_3_bottom: u8;
    static __fault_stack_3_top: u8;
    static __fault_stack_4_bottom: u8;
    static __fault_stack_4_top: u8;
    static __image_end: u8;
}

macro_rules! range {
    ($start:ident .. $end:ident) => {
        // The image is mapped one to one, so an address is a physical address.
        PhysRange { start: (&raw const $start).addr() as u64, end: (&raw const $end).addr() as u64 }
    };
}

/// The whole image: from the first byte of code to the top of the last stack, guard pages included.
pub fn image() -> PhysRange {
    range!(__image_start..__image_end)
}

/// Bytes copied from the file by the loader: code, constants, initialised data.
pub fn loaded() -> PhysRange {
    range!(__image_start..__loaded_end)
}

/// Code.
pub fn text() -> PhysRange {
    range!(__text_start..__text_end)
}

/// Constants.
pub fn rodata() -> PhysRange {
    range!(__rodata_start..__rodata_end)
}

/// Initialised and zeroed data.
pub fn data() -> PhysRange {
    range!(__data_start..__data_end)
}

/// The main stack. The page below it stays unmapped.
pub fn stack() -> PhysRange {
    range!(__stack_bottom..__stack_top)
}

/// The stacks for double fault, NMI, machine check and page fault, in this order. The page below
/// each stays unmapped.
pub fn fault_stacks() -> [PhysRange; 4] {
    [
        range!(__fault_stack_1_bottom..__fault_stack_1_top),
        range!(__fault_stack_2_bottom..__fault_stack_2_top),
        range!(__fault_stack_3_bottom..__fault_stack_3_top),
        range!(__fault_stack_4_bottom..__fault_stack_4_top),
    ]
}
