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

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
    read -r wait_until _ </proc/uptime
    wait_until=$((${wait_until%.*} + $1 + 1))
    shift
    until "$@" >/dev/null 2>&1; do
        read -r wait_now _ </proc/uptime
        [ "${wait_now%.*}" -lt "$wait_until" ] || return 1
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
    [ -n "$KEEP" ] || cat /log.tar >/dev/vport0p2
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
	driver_domain = 1
	pci = ["$CONTROLLER"]
	vga = "none"
	nographic = 1
	vnc = 0
	xen_platform_pci = 0
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
