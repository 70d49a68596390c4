//! ALSA's ABI for PCM plug-ins on 64-bit Linux, from alsa-lib's public headers `pcm_ioplug.h`,
//! `pcm.h`, `conf.h` and `error.h`. Unused names are omitted.

use std::cell::UnsafeCell;
use std::ffi::{c_char, c_int, c_long, c_short, c_uint, c_ulong, c_ushort, c_void};
use std::marker::{PhantomData, PhantomPinned};

/// An opaque type of ALSA.
#[repr(C)]
pub(crate) struct Opaque {
    _inside: [u8; 0],
    _not_ours: PhantomData<(*mut u8, PhantomPinned)>,
}

/// `snd_pcm_t`
pub(crate) type SndPcm = Opaque;
/// `snd_pcm_hw_params_t`
pub(crate) type SndPcmHwParams = Opaque;
/// `snd_pcm_sw_params_t`
pub(crate) type SndPcmSwParams = Opaque;
/// `snd_config_t`
pub(crate) type SndConfig = Opaque;
/// `snd_config_iterator_t`, itself a pointer
pub(crate) type SndConfigIterator = *mut Opaque;

/// `SND_PCM_IOPLUG_VERSION`: 1.0.2
pub(crate) const IOPLUG_VERSION: c_uint = 0x01_00_02;
/// `SND_PCM_IOPLUG_FLAG_BOUNDARY_WA`
pub(crate) const FLAG_BOUNDARY_WA: c_uint = 1 << 2;

/// `SND_PCM_IOPLUG_HW_ACCESS`
pub(crate) const HW_ACCESS: c_int = 0;
/// `SND_PCM_IOPLUG_HW_FORMAT`
pub(crate) const HW_FORMAT: c_int = 1;
/// `SND_PCM_IOPLUG_HW_CHANNELS`
pub(crate) const HW_CHANNELS: c_int = 2;
/// `SND_PCM_IOPLUG_HW_RATE`
pub(crate) const HW_RATE: c_int = 3;
/// `SND_PCM_IOPLUG_HW_PERIOD_BYTES`
pub(crate) const HW_PERIOD_BYTES: c_int = 4;
/// `SND_PCM_IOPLUG_HW_BUFFER_BYTES`
pub(crate) const HW_BUFFER_BYTES: c_int = 5;
/// `SND_PCM_IOPLUG_HW_PERIODS`
pub(crate) const HW_PERIODS: c_int = 6;

/// `SND_PCM_ACCESS_MMAP_INTERLEAVED`
pub(crate) const ACCESS_MMAP_INTERLEAVED: c_uint = 0;
/// `SND_PCM_ACCESS_RW_INTERLEAVED`
pub(crate) const ACCESS_RW_INTERLEAVED: c_uint = 3;

/// `SND_PCM_STREAM_PLAYBACK`
pub(crate) const STREAM_PLAYBACK: c_uint = 0;
/// `SND_PCM_STREAM_CAPTURE`
pub(crate) const STREAM_CAPTURE: c_uint = 1;

/// `SND_PCM_STATE_PREPARED`
pub(crate) const STATE_PREPARED: c_uint = 2;
/// `SND_PCM_STATE_RUNNING`
pub(crate) const STATE_RUNNING: c_uint = 3;
/// `SND_PCM_STATE_XRUN`
pub(crate) const STATE_XRUN: c_uint = 4;
/// `SND_PCM_STATE_DRAINING`
pub(crate) const STATE_DRAINING: c_uint = 5;
/// `SND_PCM_STATE_PAUSED`
pub(crate) const STATE_PAUSED: c_uint = 6;
/// `SND_PCM_STATE_DISCONNECTED`
pub(crate) const STATE_DISCONNECTED: c_uint = 8;

/// `POLLIN` of poll(2)
pub(crate) const POLLIN: c_ushort = 0x001;
/// `POLLOUT` of poll(2)
pub(crate) const POLLOUT: c_ushort = 0x004;
/// `POLLERR` of poll(2)
pub(crate) const POLLERR: c_ushort = 0x008;

/// `struct pollfd` of poll(2)
#[repr(C)]
pub(crate) struct PollFd {
    pub(crate) fd: c_int,
    pub(crate) events: c_short,
    pub(crate) revents: c_short,
}

/// `snd_pcm_channel_area_t`: location of one channel's samples.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct ChannelArea {
    pub(crate) addr: *mut c_void,
    /// Bits from `addr` to the first sample.
    pub(crate) first: c_uint,
    /// Bits from one sample to the next.
    pub(crate) step: c_uint,
}

/// `snd_pcm_ioplug_t`
#[repr(C)]
pub(crate) struct Ioplug {
    pub(crate) version: c_uint,
    pub(crate) name: *const c_char,
    pub(crate) flags: c_uint,
    pub(crate) poll_fd: c_int,
    pub(crate) poll_events: c_uint,
    pub(crate) mmap_rw: c_uint,
    pub(crate) callback: *const Callbacks,
    pub(crate) private_data: *mut c_void,
    /// ALSA writes the fields from here on. The plug-in only reads them, except `state`.
    pub(crate) pcm: *mut SndPcm,
    pub(crate) stream: c_uint,
    pub(crate) state: c_uint,
    pub(crate) appl_ptr: c_ulong,
    pub(crate) hw_ptr: c_ulong,
    pub(crate) nonblock: c_int,
    pub(crate) access: c_uint,
    pub(crate) format: c_int,
    pub(crate) channels: c_uint,
    pub(crate) rate: c_uint,
    pub(crate) period_size: c_ulong,
    pub(crate) buffer_size: c_ulong,
}

/// A callback that this plug-in doesn't implement.
pub(crate) type None_ = Option<unsafe extern "C" fn()>;
/// A callback whose only argument is the instance.
pub(crate) type Simple = Option<unsafe extern "C" fn(*mut Ioplug) -> c_int>;

/// `snd_pcm_ioplug_callback_t`
#[repr(C)]
pub(crate) struct Callbacks {
    pub(crate) start: Simple,
    pub(crate) stop: Simple,
    pub(crate) pointer: Option<unsafe extern "C" fn(*mut Ioplug) -> c_long>,
    pub(crate) transfer:
        Option<unsafe extern "C" fn(*mut Ioplug, *const ChannelArea, c_ulong, c_ulong) -> c_long>,
    pub(crate) close: Simple,
    pub(crate) hw_params: Option<unsafe extern "C" fn(*mut Ioplug, *mut SndPcmHwParams) -> c_int>,
    pub(crate) hw_free: Simple,
    pub(crate) sw_params: Option<unsafe extern "C" fn(*mut Ioplug, *mut SndPcmSwParams) -> c_int>,
    pub(crate) prepare: Simple,
    pub(crate) drain: None_,
    pub(crate) pause: Option<unsafe extern "C" fn(*mut Ioplug, c_int) -> c_int>,
    pub(crate) resume: None_,
    pub(crate) poll_descriptors_count: None_,
    pub(crate) poll_descriptors: None_,
    pub(crate) poll_revents:
        Option<unsafe extern "C" fn(*mut Ioplug, *mut PollFd, c_uint, *mut c_ushort) -> c_int>,
    pub(crate) dump: None_,
    pub(crate) delay: Option<unsafe extern "C" fn(*mut Ioplug, *mut c_long) -> c_int>,
    pub(crate) query_chmaps: None_,
    pub(crate) get_chmap: None_,
    pub(crate) set_chmap: None_,
}

/// `snd_lib_error_handler_t`
pub(crate) type ErrorHandler =
    unsafe extern "C" fn(*const c_char, c_int, *const c_char, c_int, *const c_char, ...);

/// An error handler that the program may change at any time.
#[repr(transparent)]
pub(crate) struct ErrorHandlerCell(pub(crate) UnsafeCell<ErrorHandler>);

// SAFETY: one aligned pointer, read whole and once.
unsafe impl Sync for ErrorHandlerCell {}

// The full file name links against the library alone, without the development package.
#[link(name = "libasound.so.2", kind = "dylib", modifiers = "+verbatim")]
unsafe extern "C" {
    pub(crate) fn snd_pcm_ioplug_create(
        io: *mut Ioplug,
        name: *const c_char,
        stream: c_uint,
        mode: c_int,
    ) -> c_int;
    pub(crate) fn snd_pcm_ioplug_delete(io: *mut Ioplug) -> c_int;
    pub(crate) fn snd_pcm_ioplug_reinit_status(io: *mut Ioplug) -> c_int;
    pub(crate) fn snd_pcm_ioplug_set_state(io: *mut Ioplug, state: c_uint) -> c_int;
    pub(crate) fn snd_pcm_ioplug_mmap_areas(io: *mut Ioplug) -> *const ChannelArea;
    pub(crate) fn snd_pcm_ioplug_set_param_minmax(
        io: *mut Ioplug,
        kind: c_int,
        min: c_uint,
        max: c_uint,
    ) -> c_int;
    pub(crate) fn snd_pcm_ioplug_set_param_list(
        io: *mut Ioplug,
        kind: c_int,
        count: c_uint,
        list: *const c_uint,
    ) -> c_int;

    pub(crate) fn snd_pcm_hw_params_set_export_buffer(
        pcm: *mut SndPcm,
        params: *mut SndPcmHwParams,
        value: c_uint,
    ) -> c_int;
    pub(crate) fn snd_pcm_sw_params_get_avail_min(
        params: *const SndPcmSwParams,
        value: *mut c_ulong,
    ) -> c_int;
    pub(crate) fn snd_pcm_sw_params_get_stop_threshold(
        params: *const SndPcmSwParams,
        value: *mut c_ulong,
    ) -> c_int;

    pub(crate) fn snd_config_iterator_first(config: *const SndConfig) -> SndConfigIterator;
    pub(crate) fn snd_config_iterator_next(iterator: SndConfigIterator) -> SndConfigIterator;
    pub(crate) fn snd_config_iterator_end(config: *const SndConfig) -> SndConfigIterator;
    pub(crate) fn snd_config_iterator_entry(iterator: SndConfigIterator) -> *mut SndConfig;
    pub(crate) fn snd_config_get_id(config: *const SndConfig, id: *mut *const c_char) -> c_int;
    pub(crate) fn snd_config_get_integer(config: *const SndConfig, value: *mut c_long) -> c_int;
    pub(crate) fn snd_config_get_string(config: *const SndConfig, value: *mut *const c_char) -> c_int;

    /// The program's error handler.
    pub(crate) static snd_lib_error: ErrorHandlerCell;
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::mem::offset_of;
    use std::path::Path;
    use std::process::Command;

    use super::*;

    /// A C expression and the value that this file gives it.
    type Fact = (String, usize);

    fn offsets<const N: usize>(of: &str, fields: [(&str, usize); N]) -> impl Iterator<Item = Fact> {
        fields.map(|(field, offset)| (format!("offsetof({of}, {field})"), offset)).into_iter()
    }

    macro_rules! layout {
        ($c:literal, $rust:ty, $($field:ident),+) => {
            offsets($c, [$((stringify!($field), offset_of!($rust, $field))),+])
                .chain([(format!("sizeof({})", $c), size_of::<$rust>())])
        };
    }

    fn facts() -> Vec<Fact> {
        let mut facts: Vec<Fact> = Vec::new();
        facts.extend(layout!(
            "snd_pcm_ioplug_t",
            Ioplug,
            version,
            name,
            flags,
            poll_fd,
            poll_events,
            mmap_rw,
            callback,
            private_data,
            pcm,
            stream,
            state,
            appl_ptr,
            hw_ptr,
            nonblock,
            access,
            format,
            channels,
            rate,
            period_size,
            buffer_size
        ));
        facts.extend(layout!(
            "snd_pcm_ioplug_callback_t",
            Callbacks,
            start,
            stop,
            pointer,
            transfer,
            close,
            hw_params,
            hw_free,
            sw_params,
            prepare,
            drain,
            pause,
            resume,
            poll_descriptors_count,
            poll_descriptors,
            poll_revents,
            dump,
            delay,
            query_chmaps,
            get_chmap,
            set_chmap
        ));
        facts.extend(layout!("snd_pcm_channel_area_t", ChannelArea, addr, first, step));
        facts.extend(layout!("struct pollfd", PollFd, fd, events, revents));
        let number = |name: &str, value: c_uint| (name.to_owned(), value as usize);
        facts.extend([
            number("SND_PCM_IOPLUG_VERSION", IOPLUG_VERSION),
            number("SND_PCM_IOPLUG_FLAG_BOUNDARY_WA", FLAG_BOUNDARY_WA),
            number("SND_PCM_IOPLUG_HW_ACCESS", HW_ACCESS.cast_unsigned()),
            number("SND_PCM_IOPLUG_HW_FORMAT", HW_FORMAT.cast_unsigned()),
            number("SND_PCM_IOPLUG_HW_CHANNELS", HW_CHANNELS.cast_unsigned()),
            number("SND_PCM_IOPLUG_HW_RATE", HW_RATE.cast_unsigned()),
            number("SND_PCM_IOPLUG_HW_PERIOD_BYTES", HW_PERIOD_BYTES.cast_unsigned()),
            number("SND_PCM_IOPLUG_HW_BUFFER_BYTES", HW_BUFFER_BYTES.cast_unsigned()),
            number("SND_PCM_IOPLUG_HW_PERIODS", HW_PERIODS.cast_unsigned()),
            number("SND_PCM_ACCESS_MMAP_INTERLEAVED", ACCESS_MMAP_INTERLEAVED),
            number("SND_PCM_ACCESS_RW_INTERLEAVED", ACCESS_RW_INTERLEAVED),
            number("SND_PCM_STREAM_PLAYBACK", STREAM_PLAYBACK),
            number("SND_PCM_STREAM_CAPTURE", STREAM_CAPTURE),
            number("SND_PCM_STATE_PREPARED", STATE_PREPARED),
            number("SND_PCM_STATE_RUNNING", STATE_RUNNING),
            number("SND_PCM_STATE_XRUN", STATE_XRUN),
            number("SND_PCM_STATE_DRAINING", STATE_DRAINING),
            number("SND_PCM_STATE_PAUSED", STATE_PAUSED),
            number("SND_PCM_STATE_DISCONNECTED", STATE_DISCONNECTED),
            number("POLLIN", POLLIN.into()),
            number("POLLOUT", POLLOUT.into()),
            number("POLLERR", POLLERR.into()),
        ]);
        for format in sndif::format::SampleFormat::all() {
            let name = match format.name() {
                "float64_le" => "FLOAT64_LE".to_owned(),
                name => name.to_ascii_uppercase(),
            };
            facts.push((format!("SND_PCM_FORMAT_{name}"), format.code().into()));
        }
        facts
    }

    /// Checks this file against the C compiler and the installed headers.
    #[test]
    fn it_is_what_the_headers_say() {
        let header = "/usr/include/alsa/pcm_external.h";
        assert!(Path::new(header).exists(), "{header} is missing (Debian: libasound2-dev)");
        let facts = facts();
        let mut source = String::from("#define _GNU_SOURCE\n#include <stddef.h>\n#include <poll.h>\n");
        source.push_str("#include <alsa/asoundlib.h>\n#include <alsa/pcm_external.h>\n");
        for (index, (expression, value)) in facts.iter().enumerate() {
            // A mismatch becomes a compiler error that shows the expression.
            writeln!(
                source,
                "_Static_assert((size_t)({expression}) == {value}, \"fact {index}: {expression} is not {value}\");"
            )
            .unwrap();
        }
        let folder = tempfile();
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("facts.c");
        std::fs::write(&file, source).unwrap();
        let output = Command::new("cc").arg("-fsyntax-only").arg(&file).output().unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn tempfile() -> std::path::PathBuf {
        std::env::temp_dir().join(format!("snddom-abi-{}", std::process::id()))
    }
}
