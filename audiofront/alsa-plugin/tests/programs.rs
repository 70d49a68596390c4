//! The plug-in in ALSA's own library, played and recorded with by ALSA's own programs, against a card in memory.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A voice, 48 kHz, mono, 16 bit.
const RECORDING: &str = "/usr/share/sounds/alsa/Front_Center.wav";

/// A folder with a configuration of ALSA's: its own, that of the plug-in as it's shipped, and the plug-in with the fake card.
struct Rig {
    folder: PathBuf,
}

impl Rig {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let configuration = format!(
            "</usr/share/alsa/alsa.conf>\n\
             <{}/50-snddom.conf>\n\
             pcm_type.snddom {{ lib \"{}\" open _snd_pcm_snddom_fake_open }}\n\
             pcm.wrong {{ type snddom device 3 }}\n",
            env!("CARGO_MANIFEST_DIR"),
            plugin().display()
        );
        std::fs::write(folder.join("asound.conf"), configuration).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn run(&self, command: &str, environment: &[(&str, &str)]) -> Output {
        let mut words = command.split_whitespace();
        Command::new(words.next().unwrap())
            .args(words)
            .current_dir(&self.folder)
            .env("ALSA_CONFIG_PATH", self.path("asound.conf"))
            .env("SNDDOM_FAKE_LINK", self.path("link"))
            .env("SNDDOM_FAKE_MAPS", self.path("maps"))
            .envs(environment.iter().copied())
            .output()
            .unwrap_or_else(|error| panic!("{command}: {error} (Debian: alsa-utils)"))
    }

    /// Runs a program that is to succeed; returns what it said.
    #[track_caller]
    fn succeeds(&self, command: &str) -> String {
        let output = self.run(command, &[]);
        let said = said(&output);
        assert!(output.status.success(), "{command}: {said}");
        said
    }

    /// What has gone through the link.
    fn link(&self) -> Vec<u8> {
        std::fs::read(self.path("link")).unwrap()
    }

    /// How often the buffer was mapped while a stream ran.
    fn maps(&self) -> usize {
        let maps = std::fs::read_to_string(self.path("maps")).unwrap();
        maps.lines().filter(|line| line.contains("memfd:buffer")).count()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// Cargo builds it with the tests.
fn plugin() -> PathBuf {
    let deps = std::env::current_exe().unwrap();
    let debug = deps.parent().and_then(Path::parent).unwrap();
    debug.join("examples/libasound_module_pcm_snddom_fake.so")
}

fn recording() -> Vec<u8> {
    let file = std::fs::read(RECORDING).unwrap();
    let data = file.windows(4).position(|four| four == b"data").unwrap();
    file[data + 8..].to_vec()
}

/// The link had exactly these samples, and then silence.
#[track_caller]
fn assert_played(link: &[u8], samples: &[u8]) {
    assert!(link.len() >= samples.len(), "{} of {} bytes", link.len(), samples.len());
    let (played, rest) = link.split_at(samples.len());
    let different = played.iter().zip(samples).position(|(played, sample)| played != sample);
    assert_eq!(different, None, "first byte that is another");
    assert!(rest.iter().all(|byte| *byte == 0), "old samples after the last");
}

#[track_caller]
fn assert_ramp(file: &Path, frames: usize) {
    let recorded = std::fs::read(file).unwrap();
    assert_eq!(recorded.len(), frames * 4);
    for (number, frame) in recorded.chunks(4).enumerate() {
        let [low, high, ..] = number.to_le_bytes();
        assert_eq!(frame, [low, high, low, high], "frame {number}");
    }
}

#[test]
fn aplay_plays_every_sample_once() {
    let rig = Rig::new("aplay");
    rig.succeeds(&format!("aplay -q -D snddom {RECORDING}"));
    assert_played(&rig.link(), &recording());
    // The controller's map of it, and the plug-in's, which writes it.
    assert_eq!(rig.maps(), 2);
}

#[test]
fn mmap_is_the_buffer_itself() {
    let rig = Rig::new("mmap");
    rig.succeeds(&format!("aplay -q -M -D snddom {RECORDING}"));
    assert_played(&rig.link(), &recording());
    // The program's too.
    assert_eq!(rig.maps(), 3);
}

#[test]
fn small_periods_and_odd_ones_make_no_difference() {
    for (name, access) in [("small", ""), ("small-mmap", "-M")] {
        let rig = Rig::new(name);
        for geometry in ["--period-size=64 --buffer-size=256", "--period-size=441 --buffer-size=1323"] {
            let _ = std::fs::remove_file(rig.path("link"));
            rig.succeeds(&format!("aplay -q {access} -D snddom {geometry} {RECORDING}"));
            assert_played(&rig.link(), &recording());
        }
    }
}

#[test]
fn delay_and_avail_agree_by_aplays_own_test() {
    let rig = Rig::new("test-position");
    // It names each pair of them that can't be.
    let said = rig.succeeds(&format!(
        "aplay -D snddom --test-position --period-size=480 --buffer-size=1920 {RECORDING}"
    ));
    assert!(!said.contains("Suspicious"), "{said}");
}

#[test]
fn conversion_goes_through_it() {
    let rig = Rig::new("plug");
    // To stereo and to 32 bit: each sample twice, in the upper half.
    std::fs::write(
        rig.path("asound.conf"),
        std::fs::read_to_string(rig.path("asound.conf")).unwrap()
            + "pcm.wide { type plug slave { pcm snddom format S32_LE channels 2 } }\n",
    )
    .unwrap();
    rig.succeeds(&format!("aplay -q -D wide {RECORDING}"));
    let wide: Vec<u8> = recording().chunks(2).flat_map(|s| [0, 0, s[0], s[1], 0, 0, s[0], s[1]]).collect();
    assert_played(&rig.link(), &wide);
    // The converter writes into the buffer itself.
    assert_eq!(rig.maps(), 3);
}

#[test]
fn arecord_takes_every_frame_once() {
    for (name, access) in [("arecord", ""), ("arecord-mmap", "-M")] {
        let rig = Rig::new(name);
        rig.succeeds(&format!("arecord -q {access} -D snddom -t raw -f S16_LE -c 2 -r 48000 -s 200000 ramp"));
        assert_ramp(&rig.path("ramp"), 200_000);
    }
}

#[test]
fn speaker_test_goes_round_the_channels() {
    let rig = Rig::new("speaker-test");
    let said = rig.succeeds("speaker-test -D snddom -c 2 -l 1 -t sine -f 440");
    assert!(said.contains("Front Right"), "{said}");
    assert!(rig.link().iter().any(|byte| *byte != 0));
}

#[test]
fn a_program_that_sleeps_is_told_and_goes_on() {
    for (name, access) in [("xrun", ""), ("xrun-mmap", "-M")] {
        let rig = Rig::new(name);
        let output =
            rig.run(&format!("aplay {access} -D snddom {RECORDING}"), &[("SNDDOM_FAKE_STALL", "20000")]);
        let said = said(&output);
        assert!(output.status.success() && said.contains("underrun"), "{said}");
        // What it wrote after it was told was played whole.
        let recording = recording();
        let link = rig.link();
        let end = &recording[recording.len() - 20_000..];
        assert!(link.windows(end.len()).any(|part| part == end));
    }
}

#[test]
fn refusals_reach_the_program_with_their_number_and_words() {
    let rig = Rig::new("refusals");
    let play = format!("aplay -D snddom {RECORDING}");
    for (environment, words) in [
        (("SNDDOM_FAKE_REFUSE", "16"), "the fake card refuses to open"),
        (("SNDDOM_FAKE_GONE_AT", "20000"), "No such device"),
    ] {
        let output = rig.run(&play, &[environment]);
        let said = said(&output);
        assert!(!output.status.success() && said.contains(words), "{said}");
    }
    let output = rig.run(&format!("aplay -D wrong {RECORDING}"), &[]);
    assert!(said(&output).contains("has no field `device`"), "{}", said(&output));
}

#[test]
fn what_is_offered_is_what_the_card_can() {
    let rig = Rig::new("offered");
    let said = said(&rig.run(&format!("aplay --dump-hw-params -D snddom {RECORDING}"), &[]));
    for line in [
        "ACCESS:  MMAP_INTERLEAVED RW_INTERLEAVED\n",
        "FORMAT:  S16_LE S32_LE\n",
        "CHANNELS: [1 2]\n",
        "RATE: [44100 48000]\n",
        "PERIOD_BYTES: [64 32768]\n",
        "BUFFER_BYTES: [256 65536]\n",
        "PERIODS: [2 1024]\n",
    ] {
        assert!(said.contains(line), "{line}{said}");
    }
}

#[test]
fn the_shipped_configuration_hands_its_arguments_on() {
    let rig = Rig::new("arguments");
    for pcm in ["snddom:0", "snddom:0,0,0", "snddom:CARD=0,PLAYBACK=fake", "plug:snddom"] {
        rig.succeeds(&format!("aplay -q -D {pcm} {RECORDING}"));
    }
    for (pcm, words) in [
        ("snddom:1", "no fake card 1"),
        ("snddom:0,1", "no fake stream 1"),
        ("snddom:0,other", "no fake stream other"),
    ] {
        let output = rig.run(&format!("aplay -q -D {pcm} {RECORDING}"), &[]);
        let said = said(&output);
        assert!(!output.status.success() && said.contains(words), "{said}");
    }
}
