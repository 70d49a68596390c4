//! The image's final output after a fault: a bounded number of lines for any fault.

use core::fmt::{self, Write};
use core::panic::Location;

use crate::memory::range::PhysRange;

/// Stack words that are searched.
pub const MAX_STACK_WORDS: usize = 256;
/// Stack words that are shown.
const MAX_SHOWN_WORDS: usize = 16;
/// Bytes of a panic message that are shown.
const MAX_MESSAGE_BYTES: usize = 256;

/// The fault.
#[derive(Clone, Copy)]
pub enum Cause<'a> {
    /// The processor raised an exception.
    Exception {
        /// The registers, and the processor's own frame.
        frame: &'a ExceptionFrame,
        /// CR2, valid only after a page fault.
        fault_address: u64,
    },
    /// Rust panicked.
    Panic {
        /// The panic message.
        message: &'a dyn fmt::Display,
        /// The panic's source location.
        location: Option<&'a Location<'a>>,
    },
    /// An allocation after the heap was sealed.
    AllocationAfterStart {
        /// Bytes requested.
        size_bytes: usize,
    },
}

impl Cause<'_> {
    /// The stack pointer at the fault, if the cause contains it.
    pub fn stack_pointer(&self) -> Option<u64> {
        match self {
            Self::Exception { frame, .. } => Some(frame.rsp),
            Self::Panic { .. } | Self::AllocationAfterStart { .. } => None,
        }
    }
}

/// The registers as the entry code pushes them, then the processor's own frame (Intel SDM volume 3,
/// 6.14.2).
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
#[allow(missing_docs, reason = "registers, by their names")]
pub struct ExceptionFrame {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub rdx: u64,
    pub rcx: u64,
    pub rax: u64,
    pub vector: u64,
    pub error_code: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

/// Address ranges by purpose.
#[derive(Clone, Copy, Debug)]
pub struct SectionMap {
    /// Code.
    pub text: PhysRange,
    /// The unmapped pages below the stacks.
    pub guards: [PhysRange; 5],
}

/// The contents of an epitaph. Its [`Display`](fmt::Display) writes a bounded number of lines and
/// ends with the verdict.
#[derive(Clone, Copy)]
pub struct Epitaph<'a> {
    /// The fault.
    pub cause: Cause<'a>,
    /// Address ranges by purpose.
    pub sections: SectionMap,
    /// The stack pointer at the fault.
    pub stack_pointer: u64,
    /// A copy of the stack from there.
    pub stack: &'a [u64],
}

impl fmt::Display for Epitaph<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "*** snddom ends here: {}", self.what())?;
        if let Cause::Exception { frame, .. } = self.cause {
            frame.write_registers(f)?;
        }
        write!(f, "*** stack from {:#x}, addresses in text:", self.stack_pointer)?;
        let text = self.stack.iter().filter(|&&word| self.sections.text.contains(word));
        for word in text.take(MAX_SHOWN_WORDS) {
            write!(f, " {word:#x}")?;
        }
        writeln!(f)?;
        writeln!(f, "@verdict crash {}", self.what())
    }
}

impl Epitaph<'_> {
    /// The cause in one line.
    fn what(&self) -> impl fmt::Display {
        fmt::from_fn(|f| match self.cause {
            Cause::Exception { frame, fault_address } if frame.vector == 14 => {
                if self.sections.guards.iter().any(|guard| guard.contains(fault_address)) {
                    return write!(f, "stack overflow at {:#x}", frame.rip);
                }
                let access = page_fault_access(frame.error_code);
                write!(f, "page fault at {:#x}: {access} {fault_address:#x}", frame.rip)
            }
            Cause::Exception { frame, .. } => {
                write!(f, "{} at {:#x}, error code {:#x}", name(frame.vector), frame.rip, frame.error_code)
            }
            Cause::Panic { message, location } => {
                f.write_str("panic")?;
                if let Some(location) = location {
                    write!(f, " at {}:{}", location.file(), location.line())?;
                }
                f.write_str(": ")?;
                // An error here only means that the text was cut at its limit.
                let _ = write!(OneLine { out: f, left_bytes: MAX_MESSAGE_BYTES }, "{message}");
                Ok(())
            }
            Cause::AllocationAfterStart { size_bytes } => {
                write!(f, "allocation after start, of {size_bytes} bytes")
            }
        })
    }
}

impl ExceptionFrame {
    fn write_registers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let registers = [
            [("rax", self.rax), ("rbx", self.rbx), ("rcx", self.rcx), ("rdx", self.rdx)],
            [("rsi", self.rsi), ("rdi", self.rdi), ("rbp", self.rbp), ("rsp", self.rsp)],
            [("r8 ", self.r8), ("r9 ", self.r9), ("r10", self.r10), ("r11", self.r11)],
            [("r12", self.r12), ("r13", self.r13), ("r14", self.r14), ("r15", self.r15)],
            [("rip", self.rip), ("cs ", self.cs), ("fl ", self.rflags), ("ss ", self.ss)],
        ];
        for line in registers {
            f.write_str("***")?;
            for (name, value) in line {
                write!(f, " {name} {value:016x}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// Names of the exceptions (Intel SDM volume 3, table 6-1).
fn name(vector: u64) -> &'static str {
    match vector {
        0 => "divide error",
        1 => "debug exception",
        2 => "non-maskable interrupt",
        3 => "breakpoint",
        4 => "overflow",
        5 => "bound range exceeded",
        6 => "invalid opcode",
        7 => "device not available",
        8 => "double fault",
        10 => "invalid TSS",
        11 => "segment not present",
        12 => "stack-segment fault",
        13 => "general protection fault",
        16 => "x87 floating-point error",
        17 => "alignment check",
        18 => "machine check",
        19 => "SIMD floating-point error",
        20 => "virtualization exception",
        21 => "control protection exception",
        _ => "reserved exception",
    }
}

/// A page fault's error code, in words (Intel SDM volume 3, 4.7).
fn page_fault_access(error_code: u64) -> impl fmt::Display {
    let access = match (error_code & 1 << 4 != 0, error_code & 1 << 1 != 0) {
        (true, _) => "execute",
        (false, true) => "write",
        (false, false) => "read",
    };
    let page = match (error_code & 1 << 3 != 0, error_code & 1 != 0) {
        (true, _) => "reserved bits in the tables for",
        (false, true) => "not allowed at",
        (false, false) => "nothing mapped at",
    };
    fmt::from_fn(move |f| write!(f, "{access}, {page}"))
}

/// Passes on a bounded number of bytes and replaces control characters with blanks.
struct OneLine<'f, W: Write> {
    out: &'f mut W,
    left_bytes: usize,
}

impl<W: Write> Write for OneLine<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            self.left_bytes = self.left_bytes.checked_sub(c.len_utf8()).ok_or(fmt::Error)?;
            self.out.write_char(if c.is_control() { ' ' } else { c })?;
        }
        Ok(())
    }
}
