//! The PVH entry point: 32-bit protected mode, paging off, start info in EBX (Xen, docs/misc/pvh).
#![allow(unsafe_code, reason = "leaf: the machine code that brings the processor into long mode")]

use core::arch::naked_asm;

#[cfg(feature = "bare")]
use crate::bare::main;
#[cfg(feature = "xen")]
use crate::xen::main;

/// The loader jumps here.
///
/// Takes the entry time stamp first. Maps the first 4 GiB one to one in 2 MiB pages: some
/// hypervisors reset silently on 1 GiB pages. Then turns on long mode and calls the image's `main`
/// on its own stack.
///
/// # Safety
///
/// For a loader that follows the PVH boot ABI, once.
#[unsafe(naked)]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".text.entry")]
pub unsafe extern "C" fn pvh_start32() -> ! {
    naked_asm!(
        ".code32",
        "rdtsc",
        "mov esi, eax", // the stamp stays in ebp:esi, the start info in ebx
        "mov ebp, edx",
        "cli",
        "cld",
        // Four page directories: present, writable, 2 MiB.
        "mov edi, offset __boot_tables + 0x2000",
        "mov eax, 0x83",
        "mov ecx, 2048",
        "2:",
        "mov [edi], eax",
        "mov dword ptr [edi + 4], 0",
        "add eax, 0x200000",
        "add edi, 8",
        "dec ecx",
        "jnz 2b",
        // The page directory pointers: present, writable.
        "mov edi, offset __boot_tables + 0x1000",
        "mov eax, offset __boot_tables + 0x2003",
        "mov ecx, 4",
        "3:",
        "mov [edi], eax",
        "mov dword ptr [edi + 4], 0",
        "add eax, 0x1000",
        "add edi, 8",
        "dec ecx",
        "jnz 3b",
        "mov edi, offset __boot_tables",
        "mov eax, offset __boot_tables + 0x1003",
        "mov [edi], eax",
        "mov dword ptr [edi + 4], 0",
        "mov cr3, edi",
        "mov eax, cr4",
        "or eax, 0x20", // PAE
        "mov cr4, eax",
        "mov ecx, 0xc0000080", // EFER
        "rdmsr",
        "or eax, 0x100", // LME
        "wrmsr",
        "mov eax, cr0",
        "or eax, 0x80010001", // PG, WP, PE
        "mov cr0, eax",
        "mov eax, offset .Lboot_gdt_pointer",
        "lgdt [eax]",
        "mov esp, offset __stack_top",
        "push 0x08",
        "mov eax, offset .Llong_mode",
        "push eax",
        "retf",
        // A first GDT: null, 64-bit code, data. The accessed bits are set because it lies in
        // read-only memory.
        ".balign 8",
        ".Lboot_gdt:",
        ".quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff",
        ".Lboot_gdt_pointer:",
        ".short 23",
        ".long .Lboot_gdt",
        ".code64",
        ".Llong_mode:",
        "mov eax, 0x10",
        "mov ds, eax",
        "mov es, eax",
        "mov ss, eax",
        "xor eax, eax",
        "mov fs, eax",
        "mov gs, eax",
        "mov edi, ebx",
        "mov esi, esi",
        "mov eax, ebp",
        "shl rax, 32",
        "or rsi, rax",
        "xor ebp, ebp",
        "mov rsp, offset __stack_top",
        "call {main}",
        "ud2",
        main = sym main,
    )
}
