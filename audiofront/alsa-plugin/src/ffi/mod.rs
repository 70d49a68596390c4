//! The seam to ALSA's C: all of the plug-in's `unsafe` is here.

mod abi;
mod callbacks;
mod config;
pub mod memory;
mod plugin;

pub use plugin::{Opener, open};

/// Defines what ALSA looks for in a plug-in's file: the function that opens a PCM of its type, by the name
/// `_snd_pcm_TYPE_open`, and the mark of the plug-in interface's version, `__snd_pcm_TYPE_open_dlsym_pcm_001`.
///
/// `$opener` is an [`Opener`].
#[macro_export]
macro_rules! plugin_entry {
    ($opener:path, $open:ident, $version:ident) => {
        /// Opens a PCM (`SND_PCM_PLUGIN_DEFINE_FUNC` of pcm_external.h).
        ///
        /// # Safety
        /// For alsa-lib to call, with what it says that it calls it with.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $open(
            pcm: *mut *mut ::std::ffi::c_void,
            name: *const ::std::ffi::c_char,
            _root: *mut ::std::ffi::c_void,
            config: *mut ::std::ffi::c_void,
            stream: ::std::ffi::c_uint,
            mode: ::std::ffi::c_int,
        ) -> ::std::ffi::c_int {
            // SAFETY: they are alsa-lib's arguments as they came.
            unsafe { $crate::open($opener, pcm, name, config, stream, mode) }
        }

        /// Which version of the plug-in interface this is (`SND_PCM_DLSYM_VERSION`).
        #[unsafe(no_mangle)]
        pub static $version: u8 = 0;
    };
}

crate::plugin_entry!(crate::guest::connect, _snd_pcm_snddom_open, __snd_pcm_snddom_open_dlsym_pcm_001);
