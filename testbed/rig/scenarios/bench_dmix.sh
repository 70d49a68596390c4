# What dom0's own driver costs while programs in dom0 play on one output: aplay on ALSA's dmix, periods of 10 ms.
wait_for 10 test -e /proc/asound/card0/pcm0p || fail "dom0's driver finds no output: $(dmesg | grep -i hda | tail -n 1)"

# The same bits, rate and period as the driver domain's bus has.
cat >/etc/asound.conf <<-'END'
	pcm.mixed {
	    type dmix
	    ipc_key 1024
	    slave { pcm "hw:0,0" format S16_LE rate 48000 channels 2 period_size 480 buffer_size 4800 }
	    bindings { 0 0 1 1 }
	}
END

status=/proc/asound/card0/pcm0p/sub0
play() {
    pids=
    for program in $(seq "$1"); do
        aplay -q -D mixed -t raw -f S16_LE -c 2 -r 48000 --period-size=480 --buffer-size=4800 /dev/zero 2>"/tmp/heard-of-$program" &
        pids="$pids $!"
        wait_for 10 grep -q RUNNING "$status/status" || fail "it does not run: $(cat "/tmp/heard-of-$program")"
    done
    grep -q '^period_size: 480$' "$status/hw_params" || fail "not a period of 480 frames"
}

stop_playing() {
    for pid in $pids; do kill "$pid" || fail "an aplay has ended: $(cat /tmp/heard-of-*)"; done
    wait $pids
    underruns=$(cat /tmp/heard-of-* | grep -c underrun)
    rm -f /tmp/heard-of-*
}

sleep "$SETTLE_S"
measure_dom0 idle 4
for count in $COUNTS; do
    play "$count"
    sleep "$SETTLE_S"
    measure_dom0 "dmix:$count" "$SECONDS_EACH"
    stop_playing
    figures "dry:dmix:$count" "underruns=$underruns"
done
