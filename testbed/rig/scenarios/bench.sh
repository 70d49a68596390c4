# What the driver domain costs: Linux's own front end, one, two and four streams, by period. A guest has one card with
# four outputs, each a PCM device.
card() {
    echo "'card, backend=snddom, buffer-size=65536, short-name=VCard, long-name=Virtual sound card," \
        "sample-rates=16000;48000, sample-formats=s16_le'$(
            for output in 0 1 2 3; do
                echo ", 'pcm, name=dev$output', 'stream, unique-id=output-$output, type=P'"
            done
        )"
}

start_driver_domain
# It tells what it is, first.
sleep 3
measure nothing 4

# When each node of the back end's is written, to the nanosecond. xl goes on when the state is 2.
xenstore-watch "${policy%/*}/backend/vsnd" | /rig/rig-probe stamp >/log/back-ends.txt &
began=$(/rig/rig-probe now)
create_guest 1
ended=$(/rig/rig-probe now)
figures create "$(prefixed from_ "$began") $(prefixed to_ "$ended")" \
    "$(awk -v directory="backend/vsnd/$(cat /run/guest1.domid)/0" '
        index($2, directory) && !began { began = $1 }
        $2 ~ directory "/state$" && ++states == 2 { print "directory_at_ns=" began, "state_2_at_ns=" $1 }
    ' /log/back-ends.txt)"
unpause_guest 1
figures domains "guest1=$(cat /run/guest1.domid) snddom=$snddom"

# play STREAMS RATE PERIOD BUFFER: that many programs play silence.
play() {
    guest_run 1 20 "rm -f /tmp/pids /tmp/heard-of; for pcm in \$(seq 0 $(($1 - 1))); do aplay -q -D hw:0,\$pcm -t raw -f S16_LE -c 2 -r $2 --period-size=$3 --buffer-size=$4 /dev/zero 2>>/tmp/heard-of & echo \$! >>/tmp/pids; done" ||
        fail "aplay can't be started: $(guest_said 1)"
    for pcm in $(seq 0 $(($1 - 1))); do
        wait_for 10 is_playing "$pcm" || fail "PCM device $pcm does not run: $(guest_run 1 5 'cat /tmp/heard-of')"
    done
    guest_run 1 5 "grep -q '^period_size: $3\$' /proc/asound/card0/pcm0p/sub0/hw_params" || fail "not a period of $3 frames"
}
is_playing() { xenstore-read "$policy/state/device/$(cat /run/guest1.domid)-0/$1-0" | grep -q status=running; }

# What aplay says of underruns is counted.
stop_playing() {
    guest_run 1 20 'kill $(cat /tmp/pids); sleep 1; echo underruns=$(grep -c underrun /tmp/heard-of)'
}

measure no_stream 4
pointer() { guest_run 1 30 "/rig/rig-probe pointer $POINTER_MS /proc/asound/card0/pcm0p/sub0/status"; }
measure_points measure
