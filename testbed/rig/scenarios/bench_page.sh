# What the driver domain costs while programs are the front ends, with a control page each and no period events: one, two
# and four guests with a stream each. And what a position costs a guest, and how old it is.
GUEST_MIB=128
guests=0
start_driver_domain

# play SECONDS: a program in each guest runs a stream in silence, and looks at its position once a second.
play() {
    for guest in $(seq "$guests"); do
        guest_begin "$guest" "audiofront position --playback-only --count $1 --interval-ms 1000 --json >/tmp/positions"
        wait_for 10 is_running "$guest" || fail "guest$guest does not play: $(guest_said "$guest")"
    done
}

for wanted in 1 2 4; do
    while [ "$guests" -lt "$wanted" ]; do
        guests=$((guests + 1))
        start_guest "$guests" user-driver
    done
    play 12
    sleep 1
    measure "page:$guests" 4
    for guest in $(seq "$guests"); do guest_end "$guest" 30 || fail "guest$guest: the program fails: $(guest_said "$guest")"; done
done
figures domains "guest1=$(cat /run/guest1.domid) snddom=$snddom"

# At moments that have nothing to do with the driver domain's own 10 ms.
guest_run 1 30 "audiofront position --playback-only --count $LOOKS --interval-ms 13 --json >/out/positions.jsonl" ||
    fail "positions: $(guest_said 1)"
guest_run 1 30 'audiofront read-cost --reads 100000 --json >/out/read-cost.json' || fail "read-cost: $(guest_said 1)"
hand_out 1 || fail "guest1 can't hand out its files"

# An unchanged program of ALSA's on the plug-in: how often it wakes up, and what that costs its guest.
sleeps='set -- $(grep ^voluntary /proc/$program/status)'
for point in $PLUGIN_POINTS; do
    period=${point%:*}
    guest_begin 1 "aplay -q -D snddom -t raw -f S16_LE -c 2 -r 48000 --period-size=$period --buffer-size=${point#*:} \
/dev/zero 2>/tmp/heard-of & program=\$!; sleep 2; $sleeps; before=\$2; sleep 6; $sleeps; kill \$program; wait \$program; \
echo wakeups=\$((\$2 - before)) underruns=\$(grep -c underrun /tmp/heard-of)"
    wait_for 10 is_running 1 || fail "aplay does not play: $(guest_said 1)"
    sleep 2
    measure "plugin:$point" 4
    guest_end 1 30 >/tmp/plugin || fail "aplay at $point: $(guest_said 1)"
    figures "plugin_program:$point" "$(cat /tmp/plugin)"
done
