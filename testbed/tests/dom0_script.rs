//! `dist/snddom`, the script for dom0, with an `xl` and xenstore tools that keep their domains and nodes in files.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// All tools in one, told apart by the name it's called by. Nodes are directories with a file `.value`; domains are
/// files named by their ids, with their names in them. Each call that changes something goes to `log`.
const TOOLS: &str = r#"#!/bin/sh
tool=${0##*/}
log() { printf '%s' "$tool" >>"$FAKE/log"; printf ' %s' "$@" >>"$FAKE/log"; echo >>"$FAKE/log"; }
node() { printf '%s' "$FAKE/store$1"; }
case $tool in
xl)
    command=$1; shift
    case $command in
    domid) grep -lx -- "$1" "$FAKE"/domains/* 2>/dev/null | sed 's|.*/||' | grep . ;;
    list) [ -e "$FAKE/domains/$1" ] && echo "Name ID State" && echo "$(cat "$FAKE/domains/$1") $1 -b----" ;;
    pci-assignable-list) cat "$FAKE/assignable" ;;
    create)
        log "$command" "$@"
        [ ! -e "$FAKE/create-fails" ] || exit 1
        echo snddom >"$FAKE/domains/7" ;;
    shutdown)
        log "$command" "$@"
        [ -e "$FAKE/deaf" ] || rm "$FAKE/domains/$1" ;;
    destroy) log "$command" "$@"; rm "$FAKE/domains/$1" ;;
    *) log "$command" "$@" ;;
    esac ;;
xenstore-write)
    log "$@"
    mkdir -p "$(node "$1")" && printf '%s' "$2" >"$(node "$1")/.value" ;;
xenstore-chmod)
    log "$@"
    [ ! -e "$FAKE/chmod-fails" ] || exit 1
    path=$1; shift
    echo "$*" | tr ' ' , >"$(node "$path")/.perms" ;;
xenstore-rm) log "$@"; rm -r "$(node "$1")" ;;
xenstore-read) cat "$(node "$1")/.value" ;;
xenstore-list) ls "$(node "$1")" ;;
xenstore-watch) log "$@"; cat "$FAKE/events"; exec /bin/sleep 60 ;;
xenstore-ls)
    [ "$1" = -f ] || [ "$1" = -fp ] || exit 1
    shows_perms=$1
    cd "$(node "$2")" || exit 1
    find . -name .value | sort | while read -r file; do
        path=${file%/.value}; path=${path#.}
        perms=
        [ "$shows_perms" = -f ] || perms="   ($(cat "${file%value}perms"))"
        [ -z "$path" ] || echo "$2$path = \"$(cat "$file")\"$perms"
    done ;;
sleep) log "$@" ;;
esac
"#;

/// A dom0 of its own for a test.
struct Dom0 {
    home: PathBuf,
    /// Removes the folder.
    _folder: tempfile::TempDir,
}

impl Dom0 {
    fn new() -> Dom0 {
        let folder = tempfile::tempdir().expect("a folder");
        let home = folder.path().to_path_buf();
        for directory in ["bin", "store", "domains"] {
            fs::create_dir_all(home.join(directory)).expect("a directory");
        }
        let dom0 = Dom0 { home, _folder: folder };
        dom0.write("bin/xl", TOOLS);
        fs::set_permissions(dom0.home.join("bin/xl"), fs::Permissions::from_mode(0o755)).expect("chmod");
        for tool in [
            "xenstore-write",
            "xenstore-chmod",
            "xenstore-rm",
            "xenstore-read",
            "xenstore-list",
            "xenstore-ls",
            "xenstore-watch",
            "sleep",
        ] {
            std::os::unix::fs::symlink("xl", dom0.home.join("bin").join(tool)).expect("a link");
        }
        dom0.write("assignable", "0000:00:1b.0\n");
        dom0.write("snddom.elf", "an image");
        dom0.write(
            "snddom.cfg",
            &format!(
                "# name = \"commented out\"\nname = \"snddom\"\nfirmware_override = \"{}\"\npci = [\"00:1b.0\"]\n",
                dom0.home.join("snddom.elf").display()
            ),
        );
        dom0.write("domains/3", "desk\n");
        dom0
    }

    /// One whose driver domain runs already, as domain 7.
    fn running() -> Dom0 {
        let dom0 = Dom0::new();
        dom0.write("domains/7", "snddom\n");
        dom0
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.home.join(name), text).expect("a file");
    }

    fn node(&self, path: &str, value: &str) {
        let node = self.home.join("store").join(path.trim_start_matches('/'));
        fs::create_dir_all(&node).expect("a node");
        fs::write(node.join(".value"), value).expect("a value");
    }

    /// A guest with a card, as `xl` makes it.
    fn guest(&self, id: u16, name: &str) {
        self.node(&format!("/local/domain/7/backend/vsnd/{id}/0/state"), "4");
        for (node, value) in [("name", name), ("vm", "/vm/5a1c3f0e-1111-4222-8333-0123456789ab")] {
            let path = format!("/local/domain/{id}/{node}");
            self.node(&path, value);
            self.write(&format!("store{path}/.perms"), &format!("n0,r{id}\n"));
        }
        // What the guest writes itself looks like another's.
        self.node(&format!("/local/domain/{id}/data/name"), "x   (n0,r1)");
        self.write(&format!("store/local/domain/{id}/data/name/.perms"), &format!("n{id}\n"));
    }

    fn cfg(&self) -> String {
        self.home.join("snddom.cfg").display().to_string()
    }

    fn call(&self, arguments: &[&str]) -> Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/snddom");
        let path = format!("{}:/usr/bin:/bin", self.home.join("bin").display());
        Command::new("/bin/sh")
            .arg(script)
            .args(arguments)
            .env("PATH", path)
            .env("FAKE", &self.home)
            .env_remove("SNDDOM")
            .output()
            .expect("sh")
    }

    /// A call that must do: what it said.
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.call(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// A call that must fail with this code: its complaint.
    fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.call(arguments);
        let complaint = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {complaint}");
        assert!(complaint.starts_with("snddom: "), "{complaint}");
        complaint
    }

    /// The calls that changed something.
    fn changes(&self) -> Vec<String> {
        let log = fs::read_to_string(self.home.join("log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }
}

#[test]
fn start_gives_the_domain_its_place_before_it_runs() {
    let dom0 = Dom0::new();
    dom0.done(&["start", &dom0.cfg()]);
    assert_eq!(
        dom0.changes(),
        [
            format!("xl create -p {}", dom0.cfg()),
            "xenstore-write /local/domain/7/snddom/state ".to_owned(),
            "xenstore-chmod /local/domain/7/snddom/state n7".to_owned(),
            "xl unpause 7".to_owned(),
        ]
    );
}

#[test]
fn start_says_what_is_wrong_before_it_changes_anything() {
    let dom0 = Dom0::new();
    assert!(dom0.fails(1, &["start", "/nowhere.cfg"]).contains("can't read /nowhere.cfg"));
    dom0.write("a.cfg", "memory = 16\n");
    let at = |name: &str| dom0.home.join(name).display().to_string();
    assert!(dom0.fails(1, &["start", &at("a.cfg")]).contains("name"));
    dom0.write("b.cfg", "name = 'snddom'\nfirmware_override = \"snddom.elf\"\n");
    assert!(dom0.fails(1, &["start", &at("b.cfg")]).contains("absolute"));
    dom0.write("c.cfg", "name = 'snddom'\nfirmware_override = '/nowhere.elf'\n");
    assert!(dom0.fails(1, &["start", &at("c.cfg")]).contains("/nowhere.elf"));
    dom0.write("assignable", "0000:00:1f.3\n");
    assert!(dom0.fails(1, &["start", &dom0.cfg()]).contains("xl pci-assignable-add 00:1b.0"));
    dom0.write("domains/7", "snddom\n");
    assert!(dom0.fails(1, &["start", &dom0.cfg()]).contains("there already"));
    assert_eq!(dom0.changes(), Vec::<String>::new());
}

#[test]
fn start_stops_where_it_fails() {
    let dom0 = Dom0::new();
    dom0.write("create-fails", "");
    assert!(dom0.fails(1, &["start", &dom0.cfg()]).contains("/var/log/xen/xl-snddom.log"));
    assert_eq!(dom0.changes().len(), 1);

    let dom0 = Dom0::new();
    dom0.write("chmod-fails", "");
    assert!(dom0.fails(1, &["start", &dom0.cfg()]).contains("xl unpause snddom"));
    assert!(!dom0.changes().iter().any(|call| call.contains("unpause")));
}

#[test]
fn setup_is_for_a_domain_that_runs_already() {
    let dom0 = Dom0::running();
    dom0.done(&["setup"]);
    assert_eq!(dom0.changes()[1], "xenstore-chmod /local/domain/7/snddom/state n7");
}

#[test]
fn rights_go_to_the_guests_node_or_to_the_default() {
    for (arguments, node) in [
        (&["allow", "desk", "record"][..], "guest/3/may-record 1"),
        (&["allow", "3", "record", "yes"], "guest/3/may-record 1"),
        (&["allow", "desk", "play", "no"], "guest/3/may-play 0"),
        (&["allow", "desk", "play", "output-0,output-2"], "guest/3/may-play output-0,output-2"),
        (&["allow", "desk", "record", "input-11"], "guest/3/may-record input-11"),
        (&["allow", "--default", "play", "no"], "may-play 0"),
        (&["--domain", "7", "allow", "--default", "record", "input-0"], "may-record input-0"),
    ] {
        let dom0 = Dom0::running();
        dom0.done(arguments);
        assert_eq!(dom0.changes(), [format!("xenstore-write /local/domain/7/snddom/{node}")]);
    }
}

#[test]
fn a_port_that_the_domain_has_told_of_goes_by_its_name() {
    let dom0 = Dom0::running();
    let base = "/local/domain/7/snddom";
    for (port, name) in [("output-0", "HDMI/DP 2"), ("output-1", "Rear Line Out"), ("input-0", "Microphone")]
    {
        dom0.node(&format!("{base}/state/port/{port}"), &format!("{name}: codec 0, pin 0x14, path 0x2 0x14"));
    }
    dom0.node(&format!("{base}/state/port/input-0/jack"), "plugged");
    let mut expected = Vec::new();
    for (what, ports) in
        [("play", "Rear Line Out"), ("play", "rear-line-out,output-7,hdmi-dp-2"), ("record", "MICROPHONE")]
    {
        dom0.done(&["allow", "desk", what, ports]);
        expected.push(format!("xenstore-write {base}/guest/3/may-{what} {ports}"));
    }
    for (what, ports) in [
        ("record", "Rear Line Out"),
        ("play", "Rear Line"),
        ("play", "Rear Line Out 2"),
        ("play", "Rear Line Out,"),
        ("play", "r\u{e9}ar line out"),
        ("play", "codec 0"),
        ("play", "-"),
        ("play", "*"),
        ("play", "1"),
        ("record", "plugged"),
    ] {
        dom0.fails(2, &["allow", "desk", what, ports]);
    }
    assert_eq!(dom0.changes(), expected);
}

#[test]
fn rights_of_guests_that_are_gone_are_removed() {
    let dom0 = Dom0::running();
    let base = "/local/domain/7/snddom/guest";
    for guest in ["3", "4", "12"] {
        dom0.node(&format!("{base}/{guest}/may-record"), "1");
    }
    dom0.write("domains/4", "work\n");
    let shown = dom0.done(&["--dry-run", "allow", "desk", "record"]);
    assert_eq!(shown, format!("+ xenstore-rm {base}/12\n+ xenstore-write {base}/3/may-record 1\n"));
    assert_eq!(dom0.changes(), Vec::<String>::new());
    dom0.done(&["allow", "desk", "play"]);
    assert_eq!(
        dom0.changes(),
        [format!("xenstore-rm {base}/12"), format!("xenstore-write {base}/3/may-play 1")]
    );
    assert!(dom0.home.join("store").join(&base[1..]).join("4").exists());
}

#[test]
fn rights_that_mean_nothing_are_refused() {
    let dom0 = Dom0::running();
    for arguments in [
        &["allow", "desk"][..],
        &["allow", "desk", "listen"],
        &["allow", "desk", "play", "maybe"],
        &["allow", "desk", "play", ""],
        &["allow", "desk", "play", "input-0"],
        &["allow", "desk", "record", "output-0"],
        &["allow", "desk", "play", "output-"],
        &["allow", "desk", "play", "output-0,,output-1"],
        &["allow", "desk", "play", "output-0,"],
        &["allow", "desk", "play", "output-0 output-1"],
        &["allow", "desk", "play", "*"],
        &["allow", "desk", "play", "yes", "yes"],
    ] {
        dom0.fails(2, arguments);
    }
    assert!(dom0.fails(1, &["allow", "nobody", "play"]).contains("no domain nobody"));
    assert!(dom0.fails(1, &["allow", "99", "play"]).contains("no domain 99"));
    dom0.fails(1, &["allow", "snddom", "play"]);
    assert_eq!(dom0.changes(), Vec::<String>::new());
}

#[test]
fn rights_by_name_are_for_guests_that_need_not_run() {
    let uuid = "5a1c3f0e-1111-4222-8333-0123456789ab";
    for (arguments, node) in [
        (&["allow", "--name", "nobody", "record"][..], "guest/nobody/may-record 1"),
        (&["allow", "--name", uuid, "hear", "monitor-0"], &format!("guest/{uuid}/may-hear monitor-0")),
        (&["allow", "--name", "a_b-c@D9", "play", "no"], "guest/a_b-c@D9/may-play 0"),
        (&["allow", "desk", "hear"], "guest/3/may-hear 1"),
        (&["allow", "--default", "hear", "no"], "may-hear 0"),
    ] {
        let dom0 = Dom0::running();
        dom0.done(arguments);
        assert_eq!(dom0.changes(), [format!("xenstore-write /local/domain/7/snddom/{node}")]);
    }
    let dom0 = Dom0::running();
    for name in ["12", "a.b", "a b", "a/b", "", &"w".repeat(81)] {
        assert!(dom0.fails(2, &["allow", "--name", name, "record"]).contains("UUID"), "{name}");
    }
    dom0.fails(2, &["allow", "--name", "desk"]);
    dom0.fails(2, &["allow", "--name", "desk", "hear", "input-0"]);
    assert_eq!(dom0.changes(), Vec::<String>::new());
}

#[test]
fn names_of_guests_with_a_card_can_be_read_then() {
    let dom0 = Dom0::running();
    dom0.guest(3, "desk (n0,r9)");
    dom0.write("domains/8", "no card\n");
    dom0.node("/local/domain/8/name", "no card");
    let permitted =
        |id| ["vm", "name"].map(|node| format!("xenstore-chmod /local/domain/{id}/{node} n0 r{id} r7"));
    assert_eq!(dom0.done(&["--dry-run", "names"]).lines().count(), 2);
    dom0.done(&["names"]);
    assert_eq!(dom0.changes(), permitted(3));
    dom0.done(&["names"]);
    assert_eq!(dom0.changes().len(), 2, "it's permitted already");
    // Others keep what they may, if they are there.
    dom0.write("store/local/domain/3/name/.perms", "n0,r3,r5,r8\n");
    dom0.done(&["allow", "--name", "desk", "record"]);
    assert_eq!(dom0.changes().last(), Some(&"xenstore-chmod /local/domain/3/name n0 r3 r8 r7".to_owned()));
    dom0.fails(2, &["names", "desk"]);
}

#[test]
fn names_are_watched_until_the_domain_is_gone() {
    let dom0 = Dom0::running();
    dom0.guest(3, "desk");
    let events = dom0.home.join("events");
    assert!(Command::new("mkfifo").arg(&events).status().expect("mkfifo").success());
    let until = |changes: usize| {
        let start = Instant::now();
        while dom0.changes().len() < changes {
            assert!(start.elapsed() < Duration::from_secs(60), "{:?}", dom0.changes());
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    std::thread::scope(|scope| {
        let watching = scope.spawn(|| dom0.call(&["names", "--watch"]));
        let mut events = fs::OpenOptions::new().write(true).open(&events).expect("the watch is there");
        writeln!(events, "/local/domain/7/backend/vsnd").expect("an event");
        until(3);
        dom0.guest(4, "work");
        writeln!(events, "/local/domain/7/backend/vsnd/4/0/state").expect("an event");
        until(5);
        fs::remove_file(dom0.home.join("domains/7")).expect("a domain");
        writeln!(events, "@releaseDomain").expect("an event");
        let start = Instant::now();
        drop(events);
        assert!(watching.join().expect("a thread").status.success());
        assert!(start.elapsed() < Duration::from_secs(30), "the watch is ended");
    });
    assert_eq!(dom0.changes()[0], "xenstore-watch /local/domain/7/backend/vsnd @releaseDomain");
    assert_eq!(dom0.changes().len(), 5);
}

#[test]
fn levels_and_sources_are_written_if_they_are_known() {
    let dom0 = Dom0::running();
    dom0.done(&["log", "debug"]);
    dom0.done(&["position-source", "link"]);
    dom0.done(&["jacks", "both"]);
    assert_eq!(
        dom0.changes(),
        [
            "xenstore-write /local/domain/7/snddom/log-level debug",
            "xenstore-write /local/domain/7/snddom/position-source link",
            "xenstore-write /local/domain/7/snddom/jacks both",
        ]
    );
    assert!(dom0.fails(2, &["log", "loud"]).contains("error warn info debug trace"));
    dom0.fails(2, &["log"]);
    dom0.fails(2, &["position-source", "clock"]);
    dom0.fails(2, &["jacks", "away"]);
}

#[test]
fn a_dry_run_shows_and_changes_nothing_and_needs_no_xen() {
    let dom0 = Dom0::new();
    let shown = dom0.done(&["--dry-run", "start", &dom0.cfg()]);
    assert_eq!(
        shown,
        format!(
            "+ xl create -p {}\n+ xenstore-write /local/domain/ID-OF-snddom/snddom/state ''\n\
             + xenstore-chmod /local/domain/ID-OF-snddom/snddom/state nID-OF-snddom\n+ xl unpause ID-OF-snddom\n",
            dom0.cfg()
        )
    );
    fs::remove_dir_all(dom0.home.join("bin")).expect("no tools");
    let shown = dom0.done(&["--dry-run", "allow", "desk", "record"]);
    assert_eq!(shown, "+ xenstore-write /local/domain/ID-OF-snddom/snddom/guest/ID-OF-desk/may-record 1\n");
    assert!(dom0.fails(1, &["allow", "desk", "record"]).contains("xl is missing"));
    assert_eq!(dom0.changes(), Vec::<String>::new());
}

#[test]
fn status_shows_settings_state_and_devices_apart() {
    let dom0 = Dom0::running();
    assert!(dom0.done(&["status"]).contains("the domain has no place for it: snddom setup"));
    let base = "/local/domain/7/snddom";
    dom0.node(&format!("{base}/log-level"), "info");
    dom0.node(&format!("{base}/guest/3/may-record"), "input-0");
    dom0.node(&format!("{base}/state/version"), "0.1.0");
    dom0.node("/local/domain/7/backend/vsnd/3/0/state", "4");
    dom0.node("/local/domain/7/backend/vsnd/5/1/state", "2");
    dom0.node("/local/domain/3/name", "desk");
    dom0.node("/local/domain/3/device/vsnd/0/state", "4");
    assert_eq!(
        dom0.done(&["status"]),
        "domain snddom, id 7
  Name ID State
  snddom 7 -b----
settings
  guest/3/may-record = \"input-0\"
  log-level = \"info\"
state
  version = \"0.1.0\"
guests
  desk, id 3, card 0: back end connected, front end connected
  (gone), id 5, card 1: back end waiting for the guest, front end not there
"
    );
    assert_eq!(dom0.changes(), Vec::<String>::new());
}

#[test]
fn stop_asks_first_and_destroys_what_does_not_listen() {
    let dom0 = Dom0::running();
    dom0.done(&["stop"]);
    assert_eq!(dom0.changes(), ["xl shutdown 7"]);
    assert!(dom0.fails(1, &["stop"]).contains("no domain snddom runs"));

    let dom0 = Dom0::running();
    dom0.write("deaf", "");
    let output = dom0.call(&["stop"]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("destroying"));
    let changes = dom0.changes();
    assert_eq!(changes.len(), 12, "{changes:?}");
    assert_eq!(changes[0], "xl shutdown 7");
    assert!(changes[1..11].iter().all(|call| call == "sleep 1"));
    assert_eq!(changes[11], "xl destroy 7");
}

#[test]
fn wrong_usage_is_told() {
    let dom0 = Dom0::running();
    for arguments in
        [&[][..], &["frobnicate"], &["--loud", "status"], &["--domain"], &["start"], &["stop", "now"]]
    {
        assert!(dom0.fails(2, arguments).contains("--help"));
    }
    assert!(dom0.done(&["--help"]).starts_with("Usage: snddom"));
    assert!(dom0.done(&["allow", "--help"]).starts_with("Usage: snddom"));
}
