# What dom0's own driver costs while programs in dom0 play on one output: pw-cat on PipeWire, with a quantum of 10 ms.
# Without a session manager: the daemon has the card from its configuration, and pw-link links each program to it.
wait_for 10 test -e /proc/asound/card0/pcm0p || fail "dom0's driver finds no output: $(dmesg | grep -i hda | tail -n 1)"

export XDG_RUNTIME_DIR=/run/pipewire
export PIPEWIRE_CONFIG_DIR=/etc/pipewire
export PIPEWIRE_MODULE_DIR=/usr/lib
mkdir -p "$XDG_RUNTIME_DIR" "$PIPEWIRE_CONFIG_DIR"

# The same bits, rate and period as the driver domain's bus has. Real-time priority, as Debian's configuration asks for.
# Headroom, for the emulated controller fetches 31 ms ahead: without it the card runs dry about 30 times a second.
cat >"$PIPEWIRE_CONFIG_DIR/pipewire.conf" <<-'END'
	context.properties = {
	    core.daemon = true
	    core.name = pipewire-0
	    support.dbus = false
	    link.max-buffers = 16
	    clock.power-of-two-quantum = false
	    default.clock.rate = 48000
	    default.clock.quantum = 480
	    default.clock.min-quantum = 480
	    default.clock.max-quantum = 480
	}
	context.spa-libs = {
	    audio.convert.* = audioconvert/libspa-audioconvert
	    api.alsa.* = alsa/libspa-alsa
	    support.* = support/libspa-support
	}
	context.modules = [
	    { name = libpipewire-module-rt }
	    { name = libpipewire-module-protocol-native }
	    { name = libpipewire-module-client-node }
	    { name = libpipewire-module-access }
	    { name = libpipewire-module-adapter }
	    { name = libpipewire-module-link-factory }
	]
	context.objects = [
	    { factory = adapter
	        args = {
	            factory.name = api.alsa.pcm.sink
	            node.name = card
	            media.class = Audio/Sink
	            api.alsa.path = "hw:0,0"
	            api.alsa.period-size = 480
	            api.alsa.period-num = 10
	            api.alsa.headroom = 2048
	            audio.format = S16LE
	            audio.rate = 48000
	            audio.channels = 2
	            audio.position = "FL,FR"
	            adapter.auto-port-config = { mode = dsp position = preserve }
	        }
	    }
	]
END
cat >"$PIPEWIRE_CONFIG_DIR/client.conf" <<-'END'
	context.properties = { support.dbus = false }
	context.spa-libs = {
	    audio.convert.* = audioconvert/libspa-audioconvert
	    support.* = support/libspa-support
	}
	context.modules = [
	    { name = libpipewire-module-rt }
	    { name = libpipewire-module-protocol-native }
	    { name = libpipewire-module-client-node }
	    { name = libpipewire-module-adapter }
	]
	stream.properties = { adapter.auto-port-config = { mode = dsp position = preserve } }
END
ln -s client.conf "$PIPEWIRE_CONFIG_DIR/client-rt.conf"

# start_daemon LOG: the log tells of underruns, and of programs that are late.
start_daemon() {
    PIPEWIRE_DEBUG=3,pw.node:4 pipewire >"$1" 2>&1 &
    daemon=$!
    wait_for 10 has_port card:playback_FR || fail "PipeWire has no card: $(tail -n 1 "$1")"
}
has_port() { pw-link -io | grep -q "^$1\$"; }

status=/proc/asound/card0/pcm0p/sub0
# play COUNT: that many programs play silence.
play() {
    pids=
    for program in $(seq "$1"); do
        pw-cat -p --target=0 --latency=480 --format=s16 --rate=48000 --channels=2 \
            -P "{ node.name = program-$program }" - </dev/zero 2>"/tmp/heard-of-$program" &
        pids="$pids $!"
        wait_for 10 has_port "program-$program:output_FR" || fail "no port: $(cat "/tmp/heard-of-$program")"
        for channel in FL FR; do
            pw-link "program-$program:output_$channel" "card:playback_$channel" || fail "program $program isn't linked"
        done
        wait_for 10 grep -q RUNNING "$status/status" || fail "it does not run: $(cat "/tmp/heard-of-$program")"
    done
    [ "$1" != 0 ] || return 0
    for parameter in 'format: S16_LE' 'channels: 2' 'rate: 48000 .*' 'period_size: 480' 'buffer_size: 4800'; do
        grep -q "^$parameter\$" "$status/hw_params" || fail "not $parameter: $(tr '\n' ' ' <"$status/hw_params")"
    done
}

stop_playing() {
    for pid in $pids; do kill "$pid" || fail "a pw-cat has ended: $(cat /tmp/heard-of-*)"; done
    # Without a number it would wait for the daemon.
    [ -z "$pids" ] || wait $pids
    rm -f /tmp/heard-of-*
}

# underruns LOG: the number in the last line about them. A line in two seconds is the most that PipeWire writes.
underruns() { sed -n 's/.* XRun! .* count:\([0-9]*\) .*/\1/p' "$1" | tail -n 1 | grep . || echo 0; }

# late LOG: how many lines tell of a program that was late.
late() { grep -c 'client too slow' "$1" || true; }

sleep "$SETTLE_S"
measure_dom0 idle 4
for count in 0 $COUNTS; do
    log=/log/pipewire-$count.txt
    start_daemon "$log"
    play "$count"
    sleep "$SETTLE_S"
    measure_dom0 "pipewire:$count" "$SECONDS_EACH"
    # Before the programs end, for a program that ends is late.
    figures "dry:pipewire:$count" "underruns=$(underruns "$log") late=$(late "$log")"
    stop_playing
    kill "$daemon"
    wait "$daemon"
done
