# ALSA's programs by ALSA's plug-in: the guest's kernel has no driver for the card.
start_driver_domain
start_guest 1 may-record user-driver

check the_kernel_has_no_card guest_run 1 5 '! test -e /dev/snd/controlC0'
# No program is late, for the machine's time is virtual.
exact="! grep -iE 'underrun|overrun' /tmp/said"
check a_program_writes guest_run 1 20 "aplay -D snddom /rig/1.wav && $exact"
check a_program_maps guest_run 1 20 "aplay -M -D snddom /rig/2.wav && $exact"
check periods_of_64_frames_do guest_run 1 20 \
    "aplay -D snddom --period-size=64 --buffer-size=4096 /rig/3.wav && $exact"
check conversion_goes_through_it guest_run 1 20 'aplay -D plug:snddom /rig/wide.wav'
check a_program_reads guest_run 1 20 'arecord -D snddom -f S16_LE -c 2 -r 48000 -d 1 /out/ramp.wav'
check a_program_reads_what_it_maps guest_run 1 20 'arecord -M -D snddom -f S16_LE -c 2 -r 48000 -d 1 /out/mapped.wav'
check speaker_test_goes_round guest_run 1 30 'speaker-test -D snddom -c 2 -l 1 -t sine -f 440'
# aplay says so when avail and delay don't fit together.
no_suspicion() {
    guest_run 1 20 'aplay --test-position -D snddom /rig/1.wav' && ! guest_said 1 | grep -i suspicious
}
check positions_are_not_suspicious no_suspicion
busy() {
    guest_run 1 20 'aplay -D snddom /rig/long.wav & sleep 1; aplay -D snddom /rig/1.wav; status=$?; kill $!; wait; test $status != 0'
    guest_said 1 | grep 'used by another program'
}
check a_second_program_is_told_who_has_the_card busy
check what_the_card_cannot_is_refused guest_fails 1 20 'aplay -D snddom -r 48000 -f FLOAT_LE -c 2 -d 1 /dev/zero'
check no_such_card_is_told guest_fails 1 20 'aplay -D snddom:7 /rig/1.wav'
# Its card is closed by the guard that the plug-in has left behind, where the tool is installed.
killed() {
    guest_run 1 5 'aplay -q -D snddom /rig/long.wav & echo $! >/tmp/pid; sleep 1' && wait_for 5 is_running 1 &&
        guest_run 1 5 'kill -9 $(cat /tmp/pid)' && wait_for 5 is_closed 1 && echo "closed"
}
check a_killed_program_plays_on_no_longer killed
check killed_in_mid_stream guest_run 1 20 \
    'aplay -D snddom /rig/long.wav & sleep 1; kill -9 $!; wait $!; aplay -D snddom /rig/5.wav'
check interrupted_in_mid_stream guest_run 1 20 \
    'aplay -D snddom /rig/long.wav & sleep 1; kill -INT $!; wait $!; aplay -D snddom /rig/6.wav'
check the_guest_has_no_complaint no_complaint 1

hand_out 1
stop_guest 1
check no_zombies only_domains Domain-0 snddom
