# Guests play and record, one after the other and at once.
start_driver_domain
start_guest 1 may-record
start_guest 2

check a_voice_plays guest_run 1 10 'aplay -D hw:0,0 /rig/voice.wav'
check noise_plays_at_44_1_khz guest_run 2 10 'aplay -D hw:0,0 /rig/noise-44.1.wav'
check a_ramp_is_recorded guest_run 1 10 'arecord -D hw:0,0 -f S16_LE -c 2 -r 48000 -d 1 /out/ramp.wav'
check one_records_while_it_plays guest_run 1 10 \
    'aplay -D hw:0,0 /rig/noise-48.wav & arecord -D hw:0,0 -f S16_LE -c 2 -r 48000 -d 1 /out/both.wav; wait $!'
# aplay says so when avail and delay don't fit together.
no_suspicion() {
    guest_run 1 10 'aplay --test-position -D hw:0,0 /rig/voice.wav' && ! guest_said 1 | grep -i suspicious
}
check positions_are_not_suspicious no_suspicion
check recording_is_refused_to_whom_it_is_not_allowed \
    guest_fails 2 10 'arecord -D hw:0,0 -f S16_LE -c 2 -r 48000 -d 1 /out/secret.wav'
check guests_have_no_complaint no_complaint 1 2

hand_out 1
stop_guest 1
stop_guest 2
check no_zombies only_domains Domain-0 snddom
