# What scenarios are written with. Read by dom0's shell, which is busybox.

# A line to the host.
say() { printf '@rig %s\n' "$*" >&3; }

# stage TEXT: a stage is reached.
stage() {
    read -r uptime _ </proc/uptime
    say "stage $uptime $*"
}

# fail TEXT: the scenario can't go on.
fail() {
    verdict="fail $*"
    finish
}

# check NAME COMMAND...: a row of the lane; what the command says last is its detail.
check() {
    check_name=$1
    shift
    if check_said=$("$@" 2>&1); then check_result=pass; else check_result=fail; fi
    say "check $check_name $check_result $(printf '%s\n' "$check_said" | tail -n 1)"
    [ "$check_result" = pass ]
}

# wait_for SECONDS COMMAND...: until the command succeeds. The host is told each ten seconds that somebody still waits: it
# ends a machine that says nothing.
wait_for() {
    # What is waited for may wait, too.
    local wait_until wait_now wait_told
    read -r wait_now _ </proc/uptime
    wait_told=${wait_now%.*}
    wait_until=$((wait_told + $1 + 1))
    shift
    until "$@" >/dev/null 2>&1; do
        read -r wait_now _ </proc/uptime
        wait_now=${wait_now%.*}
        [ "$wait_now" -lt "$wait_until" ] || return 1
        if [ "$((wait_now - wait_told))" -ge 10 ]; then
            wait_told=$wait_now
            stage "waits: $*"
        fi
        sleep 0.1
    done
}

# finish: hands out the logs, says the verdict, powers off.
verdict=pass
finish() {
    xl list >/log/xl-list.txt 2>&1
    xenstore-ls -fp >/log/xenstore.txt 2>&1
    dmesg >/log/dom0-dmesg.txt
    # A domain that ended and was not expected to: shut down (s), crashed (c).
    while read -r name id memory vcpus state time; do
        case "$state" in
            ???s?? | ????c?) ended "$name" ;;
        esac
    done </log/xl-list.txt
    cp -r /var/log/xen/. /log 2>/dev/null
    tar -c -f - -C / log >/log.tar
    cat /log.tar >/dev/vport0p2
    say "verdict $verdict"
    poweroff -f
    # It takes effect at once, or never.
    sleep 60
}

# expect_end NAME: that the domain ends, and stays there dead, is what the scenario wants.
expected_ends=
expect_end() { expected_ends="$expected_ends $1 "; }

ended() {
    case "$expected_ends" in
        *" $1 "*) ;;
        *) [ "$verdict" != pass ] || verdict="fail the domain $1 ended: see xen.txt and its console" ;;
    esac
}

# keep: people get a shell. Leaving it ends the machine.
keep() {
    echo
    echo "Dom0's shell. Try: xl list; xl console guest1 (leave it with ^]); tail /log/console/*"
    echo "'exit' powers the machine off; ^A X ends the emulator at once."
    setsid sh -c 'exec sh -i </dev/hvc0 >/dev/hvc0 2>&1'
}

# xl_log NAME COMMAND...: xl at its most talkative, into a log of its own.
xl_log() {
    log=/log/xl-$1.txt
    shift
    xl -vvv "$@" >>"$log" 2>&1
}

# start_driver_domain: the image gets the controller, and its policy before it runs.
start_driver_domain() {
    xl_log snddom pci-assignable-add "$CONTROLLER" || fail "the controller can't be given away: see xl-snddom.txt"
    create_driver_domain
}

# create_driver_domain: the same, once the controller is given away. Again, where there was one before.
create_driver_domain() {
    cat >/run/snddom.cfg <<-END
	name = "snddom"
	type = "hvm"
	firmware_override = "/rig/image"
	memory = 16
	vcpus = 1
	cpu_weight = 2048
	driver_domain = 1
	pci = ["$CONTROLLER"]
	vga = "none"
	nographic = 1
	vnc = 0
	xen_platform_pci = 0
	tsc_mode = "native"
	on_crash = "preserve"
	END
    xl_log snddom create -p /run/snddom.cfg || fail "the driver domain can't be made: see xl-snddom.txt"
    snddom=$(xl domid snddom)
    policy=/local/domain/$snddom/snddom
    xenstore-write "$policy/log-level" "$LOG_LEVEL" "$policy/state" ""
    xenstore-chmod "$policy/state" "n$snddom"
    xl_log snddom unpause snddom
    stage "the driver domain runs"
}

# start_guest N [may-record] [no-card] [user-driver]: a guest with a card, that plays to output N-1 and records from input
# N-1 of the driver domain's card. It's up when this returns. Recording is refused to guests that aren't allowed to. With
# user-driver its kernel leaves the card to programs, such as audiofront.
start_guest() {
    create_guest "$@"
    unpause_guest "$1"
}

# create_guest N [may-record] [no-card]: the same, but it's still paused when this returns.
create_guest() {
    guest=$1
    shift
    guest_cards=$(card "$guest")
    case " $* " in *" no-card "*) guest_cards= ;; esac
    guest_driver=kernel
    case " $* " in *" user-driver "*) guest_driver=user ;; esac
    cat >"/run/guest$guest.cfg" <<-END
	name = "guest$guest"
	type = "${GUEST_TYPE:-pv}"
	kernel = "/rig/vmlinux"
	ramdisk = "/rig/guest.cpio"
	extra = "console=hvc0 rdinit=/init panic=-1 cryptomgr.notests random.trust_cpu=on rodata=off guest=$guest driver=$guest_driver"
	memory = ${GUEST_MIB:-192}
	vcpus = 1
	on_crash = "preserve"
	${guest_cards:+vsnd = [[ $guest_cards ]]}
	END
    xl_log "guest$guest" create -p "/run/guest$guest.cfg" || fail "guest$guest can't be made: see xl-guest$guest.txt"
    guest_domid=$(xl domid "guest$guest")
    # In files, for checks run in shells of their own.
    echo "$guest_domid" >"/run/guest$guest.domid"
    echo 0 >"/run/guest$guest.runs"
    case " $* " in *" may-record "*) xenstore-write "$policy/guest/$guest_domid/may-record" 1 ;; esac
}

# card N: guest N's card, as it stands in a domain file.
card() {
    echo "'card, backend=snddom, buffer-size=65536, short-name=VCard, long-name=Virtual sound card," \
        "sample-rates=${RATES:-44100;48000}, sample-formats=s16_le', 'pcm, name=dev1'," \
        "'stream, unique-id=output-$(($1 - 1)), type=P', 'stream, unique-id=input-$(($1 - 1)), type=C'"
}

# playback_card OUTPUT: a card with one output and no input.
playback_card() {
    echo "'card, backend=snddom, buffer-size=65536, short-name=VCard, long-name=Virtual sound card," \
        "sample-rates=44100;48000, sample-formats=s16_le', 'pcm, name=dev1'," \
        "'stream, unique-id=output-$1, type=P'"
}

# shared_card PORT: a card with an output and an input that are shared. It offers all that a mixer and Linux's front end have
# in common.
shared_card() {
    echo "'card, backend=snddom, buffer-size=65536, short-name=VCard, long-name=Virtual sound card," \
        "sample-rates=5512;8000;11025;16000;22050;32000;44100;48000;96000;176400;192000," \
        "sample-formats=s8;u8;s16_le;s16_be;u16_le;u16_be;s24_le;s24_be;s32_le;s32_be;mu_law;a_law," \
        "channels-min=1, channels-max=8', 'pcm, name=dev1'," \
        "'stream, unique-id=output-$1, type=P', 'stream, unique-id=input-$1, type=C'"
}

# share PORT: guests that come later share output PORT and input PORT of the card, at a rate of 48 kHz.
share() {
    for port in "output-$1" "input-$1"; do
        xenstore-write "$policy/port/$port/mode" shared "$policy/port/$port/rate" 48000
    done
}

# unpause_guest N: a guest that was made runs; it's up when this returns.
unpause_guest() {
    xl_log "guest$1" unpause "guest$1"
    wait_for 60 guest_is_up "$1" || fail "guest$1 does not come up: see console/guest-guest$1.log"
    stage "guest$1 is up"
}

# guest_path N NODE: a node of the guest's in xenstore.
guest_path() { echo "/local/domain/$(cat "/run/guest$1.domid")/$2"; }

guest_is_up() { [ "$(xenstore-read "$(guest_path "$1" data/exit)" 2>/dev/null)" = "0 0" ]; }

# guest_begin N COMMAND: the guest begins to run a shell command.
guest_begin() {
    guest_run=$(($(cat "/run/guest$1.runs") + 1))
    echo "$guest_run" >"/run/guest$1.runs"
    xenstore-write "$(guest_path "$1" data/run)" "$guest_run $2"
}

guest_has_ended() {
    guest_run=$(cat "/run/guest$1.runs")
    guest_status=$(xenstore-read "$(guest_path "$1" data/exit)") && [ "${guest_status% *}" = "$guest_run" ]
}

# guest_end N SECONDS: waits for the command to end, says what it said last, and returns its exit status, or 124 when it
# does not end in time.
guest_end() {
    if wait_for "$2" guest_has_ended "$1"; then
        guest_said "$1" | tail -n 1
        return "${guest_status#* }"
    fi
    echo "it does not end within $2 s"
    return 124
}

# guest_said N: the last lines that the last command said.
guest_said() { xenstore-read -R "$(guest_path "$1" data/said)"; }

# guest_fails N SECONDS COMMAND: runs it; it has to end, and with an error.
guest_fails() {
    guest_run "$@"
    guest_failed=$?
    [ "$guest_failed" != 0 ] && [ "$guest_failed" != 124 ]
}

# no_complaint N...: nothing in the guests' kernel logs tells of trouble with the card, or of worse.
no_complaint() {
    for guest_name in "$@"; do
        if grep -E 'Oops|BUG:|WARNING:|Call Trace|[Tt]imeout|time-out|vsnd.*(rror|ail)' "$(guest_console "$guest_name")"; then
            return 1
        fi
    done
}

# guest_console N: the file with the guest's console.
guest_console() { echo "/log/console/guest-guest$1.log"; }

# only_domains NAME...: these domains are there, and no other, alive or dead.
only_domains() {
    domains=$(xl list | sed '1d;s/ .*//' | sort | tr '\n' ' ')
    echo "$domains"
    [ "$domains" = "$(printf '%s\n' "$@" | sort | tr '\n' ' ')" ]
}

# guest_run N SECONDS COMMAND: begins and waits.
guest_run() {
    guest_begin "$1" "$3"
    guest_end "$1" "$2"
}

# hand_out N: what the guest left under /out goes to the host.
hand_out() { guest_run "$1" 120 hand-out; }

# stop_guest N: the guest powers itself off and is gone.
stop_guest() {
    guest_begin "$1" "poweroff -f"
    wait_for 30 guest_is_gone "$1"
}

guest_is_gone() { ! xl domid "guest$1"; }

# What follows asks the driver domain, and is for scenarios about how things end.

# stream_note N [CARD [STREAM]]: what the driver domain tells of a stream of guest N's: its first one, without more.
stream_note() { xenstore-read "$policy/state/device/$(cat "/run/guest$1.domid")-${2:-0}/0-${3:-0}"; }

# is_running N [CARD [STREAM]]: whether the stream runs, as the driver domain tells.
is_running() { stream_note "$@" | grep -q status=running; }

# play_on N: a long recording plays in the guest, in the background; the program's number is in its /tmp/pid.
play_on() {
    guest_run "$1" 5 'aplay -q -D hw:0,0 /rig/long.wav >/tmp/long 2>&1 & echo $! >/tmp/pid' && wait_for 5 is_running "$1"
}

# is_closed N: the guest's front end has closed its card.
is_closed() { [ "$(xenstore-read "$(guest_path "$1" device/vsnd/0/state)")" = 6 ]; }

# is_crashed NAME: the domain has crashed, and is kept.
is_crashed() { xl list "$1" | grep -E ' [-a-z]{4}c[-a-z] '; }

# snddom_said PATTERN: how many lines of the driver domain's console have it.
snddom_said() { grep -cE "$1" /log/console/guest-snddom.log; }

# releases N: how often a stream of guest N's gave its pages back, after RUN was seen to read 0.
releases() { snddom_said "domain $(cat "/run/guest$1.domid"), port [0-9]+: RUN reads 0; [1-9][0-9]* pages unmapped"; }

# released_after N COUNT: one more than COUNT, of which the last is told.
released_after() {
    wait_for 10 released_more "$@"
    grep -E "domain $(cat "/run/guest$1.domid"), port .* pages unmapped" /log/console/guest-snddom.log |
        tail -n 1 | grep -o 'RUN reads.*'
    released_more "$@" && ! grep 'still mapped' /log/console/guest-snddom.log
}
released_more() { [ "$(releases "$1")" -gt "$2" ]; }

# attach_card N [M]: guest N gets guest M's kind of card, while it runs.
attach_card() { eval "xl_log guest$1 vsnd-attach guest$1 $(card "${2:-$1}" | sed "s/', *'/' '/g")"; }

# detach_card N [CARD]: guest N loses a card, while it runs.
detach_card() { xl_log "guest$1" vsnd-detach "guest$1" "${2:-0}"; }

# no_faults: Xen has seen no access that the IOMMU refused.
no_faults() {
    if xl dmesg | grep -E 'IO_PAGE_FAULT|DMAR:\[|iommu.*fault' | head -n 1 | grep .; then return 1; fi
    echo "none"
}

# What follows measures, and is for the bench.

# figures NAME TEXT: what was measured, as pairs name=value, to the host.
figures() { say "figures $*"; }

# report: what the driver domain has cost until now, as it counts, is in $reported.
report_number=0
report() {
    report_number=$((report_number + 1))
    xenstore-write "$policy/report" "$report_number"
    wait_for 10 report_has_come || fail "the driver domain does not report"
    reported=$(xenstore-read "$policy/state/report")
}
report_has_come() { xenstore-read "$policy/state/report" | grep -q "^number=$report_number "; }

# prefixed PREFIX PAIRS: the pairs, with the prefix before each name.
prefixed() {
    prefix=$1
    shift
    for pair in $*; do printf '%s%s ' "$prefix" "$pair"; done
}

# measure NAME SECONDS: what the domains cost while this long passes; from_ and to_ before the names.
measure() {
    report
    measured="$(prefixed from_ "$reported") $(prefixed from_ "$(/rig/rig-probe domains)")"
    sleep "$2"
    measured="$measured $(prefixed to_ "$(/rig/rig-probe domains)")"
    report
    figures "$1" "$measured $(prefixed to_ "$reported")"
}

# measure_dom0 NAME SECONDS: the same, without a driver domain.
measure_dom0() {
    measured="$(prefixed from_ "$(/rig/rig-probe domains)")"
    sleep "$2"
    figures "$1" "$measured $(prefixed to_ "$(/rig/rig-probe domains)")"
}

# measure_points COMMAND: measures each point of POINTS by COMMAND NAME SECONDS. A point is streams, rate, frames of a
# period and of a buffer, and seconds, by colons. The scenario has `play STREAMS RATE PERIOD BUFFER`, `stop_playing`, which
# says the underruns, and `pointer`, which says how ALSA's pointer moves.
measure_points() {
    for point in $POINTS; do
        IFS=: read -r streams rate period buffer seconds <<-END
	$point
	END
        play "$streams" "$rate" "$period" "$buffer"
        sleep 1
        "$1" "$point" "$seconds"
        if [ "$streams" = 1 ]; then figures "pointer:$point" "$(pointer)"; fi
        # Not in a shell of its own, which could not wait for this one's children.
        stop_playing >/tmp/underruns
        figures "underruns:$point" "$(cat /tmp/underruns)"
    done
}
