//! Segments, and the stacks for faults (Intel SDM volume 3, 8.7 "Task management in 64-bit mode").
#![allow(unsafe_code, reason = "leaf: loads segment registers and the task register")]

use spin::Once;
use x86_64::VirtAddr;
use x86_64::instructions::segmentation::{CS, DS, ES, SS, Segment};
use x86_64::instructions::tables::load_tss;
use x86_64::structures::gdt::{Descriptor, GlobalDescriptorTable};
use x86_64::structures::tss::TaskStateSegment;

use crate::memory::layout;

static TSS: Once<TaskStateSegment> = Once::new();
static GDT: Once<GlobalDescriptorTable> = Once::new();

/// Loads a GDT of code, data and task state.
pub(super) fn load() {
    let tss = TSS.call_once(|| {
        let mut tss = TaskStateSegment::new();
        let [first, second, third, fourth] =
            layout::fault_stacks().map(|stack| VirtAddr::new_truncate(stack.end));
        let none = VirtAddr::zero();
        // Gates count stacks from 1, this array from 0.
        tss.interrupt_stack_table = [first, second, third, fourth, none, none, none];
        tss
    });
    let mut selectors = None;
    let gdt = GDT.call_once(|| {
        let mut gdt = GlobalDescriptorTable::new();
        let code = gdt.append(Descriptor::kernel_code_segment());
        let data = gdt.append(Descriptor::kernel_data_segment());
        let task = gdt.append(Descriptor::tss_segment(tss));
        selectors = Some((code, data, task));
        gdt
    });
    // A second call changes nothing.
    let Some((code, data, task)) = selectors else { return };
    gdt.load();
    // SAFETY: a 64-bit code segment of the GDT just loaded.
    unsafe { CS::set_reg(code) };
    // SAFETY: a writable data segment of that GDT.
    unsafe { SS::set_reg(data) };
    // SAFETY: as above.
    unsafe { DS::set_reg(data) };
    // SAFETY: as above.
    unsafe { ES::set_reg(data) };
    // SAFETY: the descriptor of the static task state in that GDT.
    unsafe { load_tss(task) };
}
