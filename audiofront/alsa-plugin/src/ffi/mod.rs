//! The interface to ALSA's C, with all of the plug-in's `unsafe`.

mod abi;
mod callbacks;
mod config;
pub mod memory;
mod plugin;

pub use plugin::{Opener, open};

/// Defines the symbols that ALSA looks for in a plug-in's file.
///
/// They are `_snd_pcm_TYPE_open`, which opens a PCM of this type, and
/// `__snd_pcm_TYPE_open_dlsym_pcm_001`, which marks the version of the plug-in interface.
///
/// `$opener` is an [`Opener`].
#[macro_export]
macro_rules! plugin_entry {
    ($opener:path, $open:ident, $version:ident) => {
        /// Opens a PCM (`SND_PCM_PLUGIN_DEFINE_FUNC` of pcm_external.h).
        ///
        /// # Safety
        /// For alsa-lib only, with the arguments that it documents.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $open(
            pcm: *mut *mut ::std::ffi::c_void,
            name: *const ::std::ffi::c_char,
            _root: *mut ::std::ffi::c_void,
            config: *mut ::std::ffi::c_void,
            stream: ::std::ffi::c_uint,
            mode: ::std::ffi::c_int,
        ) -> ::std::ffi::c_int {
            // SAFETY: alsa-lib's arguments, unchanged.
            unsafe { $crate::open($opener, pcm, name, config, stream, mode) }
        }

        /// Version of the plug-in interface (`SND_PCM_DLSYM_VERSION`).
        #[unsafe(no_mangle)]
        pub static $version: u8 = 0;
    };
}

crate::plugin_entry!(crate::guest::connect, _snd_pcm_snddom_open, __snd_pcm_snddom_open_dlsym_pcm_001);
