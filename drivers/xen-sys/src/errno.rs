//! Errors of hypercalls (errno.h). A hypercall that fails returns the negative of one of these numbers.

use core::fmt;

/// An error number of Xen, positive.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(pub u32);

macro_rules! errnos {
    ($($name:ident = $value:literal, $meaning:literal;)*) => {
        impl Errno {
            $(#[doc = concat!($meaning, " (errno.h, `XEN_", stringify!($name), "`).")]
            pub const $name: Self = Self($value);)*

            /// The name in errno.h without its prefix; `None` for a number without a name in this crate.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

errnos! {
    EPERM = 1, "Not permitted";
    ENOENT = 2, "No such thing";
    ESRCH = 3, "No such domain";
    EIO = 5, "Input or output failed";
    ENXIO = 6, "No such device or address";
    E2BIG = 7, "Argument list too long";
    EBADF = 9, "Bad handle";
    EAGAIN = 11, "Try again";
    ENOMEM = 12, "No memory";
    EACCES = 13, "Permission denied";
    EFAULT = 14, "Bad address of an argument";
    EBUSY = 16, "In use";
    EEXIST = 17, "Exists already";
    ENODEV = 19, "No such device";
    EINVAL = 22, "Bad argument";
    ENOSPC = 28, "No room, such as no free event channel";
    EROFS = 30, "Read-only";
    ERANGE = 34, "Out of range";
    ENOSYS = 38, "No such hypercall or operation";
    EOVERFLOW = 75, "Too large for its type";
    EOPNOTSUPP = 95, "Not supported";
    ETIMEDOUT = 110, "Timed out";
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "Errno({})", self.0),
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl core::error::Error for Errno {}
