# What dom0's own ALSA path costs on the same controller under the same Xen: snd_hda_intel and aplay, by period.
wait_for 10 test -e /proc/asound/card0/pcm0p || fail "dom0's driver finds no output: $(dmesg | grep -i hda | tail -n 1)"
set -- /proc/asound/card0/pcm*p
pcms=$*
stage "dom0's driver has $# outputs"

# interrupts: how many dom0 has had of the controller.
interrupts() { awk '/snd_hda_intel/ { count += $2 } END { print "interrupts=" count + 0 }' /proc/interrupts; }

measure_with_interrupts() {
    measured="$(prefixed from_ "$(interrupts) $(/rig/rig-probe domains)")"
    sleep "$2"
    figures "$1" "$measured $(prefixed to_ "$(/rig/rig-probe domains) $(interrupts)")"
}

# play STREAMS RATE PERIOD BUFFER: that many programs play silence.
play() {
    rm -f /tmp/heard-of
    pids=
    for pcm in $(echo "$pcms" | cut -d ' ' -f "1-$1"); do
        device=${pcm##*/pcm}
        aplay -q -D "hw:0,${device%p}" -t raw -f S16_LE -c 2 -r "$2" --period-size="$3" --buffer-size="$4" /dev/zero 2>>/tmp/heard-of &
        pids="$pids $!"
        wait_for 10 grep -q RUNNING "$pcm/sub0/status" || fail "$pcm does not run: $(cat /tmp/heard-of)"
        grep -q "^period_size: $3\$" "$pcm/sub0/hw_params" || fail "$pcm: not a period of $3 frames"
    done
}

stop_playing() {
    kill $pids
    wait $pids
    echo "underruns=$(grep -c underrun /tmp/heard-of)"
}

measure_with_interrupts idle 4
pointer() { /rig/rig-probe pointer "$POINTER_MS" "${pcms%% *}/sub0/status"; }
measure_points measure_with_interrupts
