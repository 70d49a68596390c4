//! Errors with their place and remedy.

use std::fmt;
use std::io;

/// The kind of an error, as far as programs distinguish it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// It doesn't exist: no Xen, no module, no card, no stream.
    NotFound,
    /// Another program or driver uses it.
    Busy,
    /// This process or guest lacks the permission.
    Denied,
    /// The back end doesn't support this.
    Unsupported,
    /// An answer didn't come in time.
    TimedOut,
    /// The back end is gone or leaving, or the toolstack removes the card. Connect again.
    Gone,
    /// A signal arrived during a wait, if the caller asked to know.
    Interrupted,
    /// Anything else.
    Other,
}

impl ErrorKind {
    /// The positive error number (errno.h), as ALSA programs know it.
    pub const fn errno(self) -> i32 {
        use rustix::io::Errno;
        match self {
            Self::NotFound => Errno::NODEV,
            Self::Busy => Errno::BUSY,
            Self::Denied => Errno::ACCESS,
            Self::Unsupported => Errno::INVAL,
            Self::TimedOut => Errno::TIMEDOUT,
            Self::Gone => Errno::NODEV,
            Self::Interrupted => Errno::INTR,
            Self::Other => Errno::IO,
        }
        .raw_os_error()
    }
}

/// An error for people: the fault, its place and, if known, the remedy.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    what: String,
    advice: Option<String>,
}

/// A result with this crate's error.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), advice: None }
    }

    pub(crate) fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// The error's kind.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The error for a Xen device that can't be opened.
    pub(crate) fn of_device(path: &str, module: &str, error: &io::Error) -> Self {
        let what = format!("{path} can't be opened: {error}");
        match error.kind() {
            io::ErrorKind::NotFound => Self::new(ErrorKind::NotFound, what)
                .advice(format!("load the module: modprobe {module}; this has to be a guest of Xen's")),
            io::ErrorKind::PermissionDenied => Self::new(ErrorKind::Denied, what)
                .advice(format!("run as root, or let your user open {path}")),
            _ => Self::new(ErrorKind::Other, what),
        }
    }

    /// The error for a refused request: `status` is a negative errno.
    pub(crate) fn refused(what: &str, status: i32) -> Self {
        let errno =
            rustix::io::Errno::from_raw_os_error(status.checked_neg().unwrap_or(i32::MAX).clamp(1, 4095));
        let text = format!("{what}: the back end says {}", io::Error::from(errno));
        use rustix::io::Errno;
        match errno {
            Errno::ACCESS | Errno::PERM => Self::new(ErrorKind::Denied, text).advice(
                "what a guest may do is set for the driver domain in xenstore, by dom0: \
                 snddom/guest/DOMID/may-play, may-record; may-hear for a monitor",
            ),
            Errno::BUSY => Self::new(ErrorKind::Busy, text)
                .advice("another guest uses the port, or the other direction needs another rate"),
            Errno::OPNOTSUPP | Errno::INVAL | Errno::RANGE => Self::new(ErrorKind::Unsupported, text),
            Errno::TIMEDOUT => Self::new(ErrorKind::TimedOut, text),
            Errno::NODEV => Self::new(ErrorKind::Gone, text).advice("see the driver domain's console"),
            _ => Self::new(ErrorKind::Other, text),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.advice {
            Some(advice) => write!(f, "\n  what to do: {advice}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}
