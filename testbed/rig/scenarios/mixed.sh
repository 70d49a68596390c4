# Three guests on one output and one input that are shared. Each is heard with what the others play, whatever its rate and
# format are, and however the others stop. What is recorded is the same for all who may record.

card() { shared_card 0; }

GUEST_MIB=128
start_driver_domain
share 0
start_guest 1 may-record
start_guest 2 may-record
start_guest 3

# What a program is offered. The driver asks HW_PARAM_QUERY for it; Linux has the words.
dump="aplay --dump-hw-params -D hw:0,0 -f S16_LE -c 2 -r 48000 -d 1 /dev/zero 2>&1"
formats='S8 U8 S16_LE S16_BE U16_LE U16_BE S24_LE S24_BE S32_LE S32_BE MU_LAW A_LAW'
offers() {
    guest_run 1 10 "$dump | grep -E '^(FORMAT|CHANNELS|RATE):' | tr -s ' \n' ' '"
    offered=$(guest_said 1)
    for word in $formats 'CHANNELS: \[1 8\]' 'RATE: \[5512 192000\]'; do
        printf '%s\n' "$offered" | grep -qwE "$word" || return 1
    done
}
check all_that_the_mixer_converts_is_offered offers

# plays N FILE: a program plays, and has no underrun.
exact="! grep -iE 'underrun|overrun|error' /tmp/said"
plays() { guest_run "$1" 10 "aplay -D hw:0,0 /rig/$2.wav && $exact"; }
check one_plays_alone plays 1 alone
check a_rate_of_44_1_khz_plays_alone plays 1 first
check eight_bits_play_alone plays 2 second
check a_rate_of_96_khz_plays_alone plays 3 third

# port_note PORT NODE PATTERN: the published node of a port, if it is that.
port_note() { xenstore-read "$policy/state/port/$1/$2" | grep -E "$3"; }
# sees FILE PORT PATTERN: waits for that use of a port, and keeps the line.
keeps() { port_note "$2" use "$3" >"$1"; }
sees() { wait_for 5 keeps "$@"; }

all_end() { guest_end 1 20 && guest_end 2 20 && guest_end 3 20; }
three_play() {
    for guest in 1 2 3; do guest_begin "$guest" "aplay -D hw:0,0 /rig/together-$guest.wav && $exact"; done
    sees /tmp/three output-0 'mode=shared .*voices=3 running=3 '
    xenstore-write "$policy/port/output-0/peak" 7
    all_end
}
check three_play_at_once three_play
check the_state_has_three_voices grep mode= /tmp/three
peaks_are_told() { wait_for 5 port_note output-0 peak . && port_note output-0 peak '^number=7 frames=[1-9][0-9]* peak_mdb=-?[0-9]+,-?[0-9]+$'; }
check the_state_has_their_peaks peaks_are_told

# Two record the same microphone; the third is refused, and gets no sample.
records='arecord -D hw:0,0 -f S16_LE -c 2 -r 48000 -d 1'
two_record() {
    guest_begin 1 "$records /out/ramp.wav && $exact"
    guest_begin 2 "$records /out/ramp.wav && $exact"
    guest_begin 3 "$records /tmp/secret.wav"
    sees /tmp/two input-0 "recorded_by=$(cat /run/guest1.domid),$(cat /run/guest2.domid)\$"
    guest_end 1 10 && guest_end 2 10
}
check two_record_at_once two_record
is_denied() {
    guest_end 3 10 && return 1
    guest_run 3 5 'test ! -e /tmp/secret.wav || test "$(tail -c +45 /tmp/secret.wav | wc -c)" = 0' &&
        [ "$(snddom_said 'OPEN on port .* refused: Denied\(Record\)')" -ge 1 ] && stream_note 3 0 1 | grep 'frames=0 '
}
check the_third_may_not_record_and_gets_no_sample is_denied
check the_state_says_who_records grep mode= /tmp/two
check the_state_says_that_nobody_records_any_more wait_for 5 port_note input-0 use '^mode=idle$'

# In mid-stream: the program is stopped, the guest is paused, the guest is destroyed. Another one plays all the time.
# goes_on N: the program is there, and its stream runs. plays_on N FILE: plays in the background.
goes_on() { guest_run "$1" 5 'kill -0 $(cat /tmp/pid)' && wait_for 5 is_running "$1"; }
plays_on() { guest_run "$1" 5 "aplay -D hw:0,0 /rig/$2.wav >/tmp/long 2>&1 & echo \$! >/tmp/pid" && wait_for 5 is_running "$1"; }
check the_second_plays_a_long_one plays_on 2 murmur
check the_third_plays_a_long_one plays_on 3 whisper
guest_begin 1 "aplay -D hw:0,0 /rig/untouched.wav && $exact"
check the_untouched_one_plays wait_for 5 is_running 1
program_stops() {
    guest_run 3 5 'kill -STOP $(cat /tmp/pid)' && sleep 0.5 && guest_run 3 5 'kill -CONT $(cat /tmp/pid)' && goes_on 3
}
check a_program_is_stopped_and_goes_on program_stops
guest_is_paused() { xl pause guest2 && sleep 0.5 && xl unpause guest2 && goes_on 2; }
check a_guest_is_paused_and_goes_on guest_is_paused
before=$(releases 3)
destroyed() { is_running 3 && xl destroy guest3; }
check a_guest_is_destroyed destroyed
check pages_are_free_after_destroy released_after 3 "$before"
check the_untouched_one_still_plays is_running 1
check the_untouched_one_has_no_underrun guest_end 1 30
no_fifo_error() { stream_note 1 | grep 'fifo_errors=0'; }
check the_untouched_one_has_no_fifo_error no_fifo_error
guest_run 2 5 'kill $(cat /tmp/pid)'

# Mode auto: one plays alone and direct. Another one comes, and the first goes on behind a gap. A mixer stays at its port for
# a second after the last one.
xenstore-write "$policy/port/output-0/mode" auto
sleep 2
looks='sh /rig/positions 4 >/tmp/positions &'
guest_begin 1 "$looks aplay -D hw:0,0 /rig/direct.wav && wait \$! && $exact && tail -n 1 /tmp/positions"
check one_plays_direct wait_for 5 is_running 1
sleep 1
check another_one_joins plays 2 joining
# The gap is stated: by a FIFO error.
gap_is_stated() { stream_note 1 | grep 'fifo_errors=1$'; }
check the_first_is_told_of_the_gap gap_is_stated
check the_first_has_no_error_and_its_position_never_goes_back guest_end 1 20

# The same with recordings.
xenstore-write "$policy/port/input-0/mode" auto
sleep 2
guest_begin 1 "arecord -D hw:0,0 -f S16_LE -c 2 -r 48000 -d 3 /out/auto.wav && $exact"
check one_records_direct sees /tmp/direct input-0 'mode=direct'
sleep 1
another_records() { guest_run 2 10 "$records /out/joining.wav && $exact"; }
check another_recorder_joins another_records
check the_input_is_mixed_then sees /tmp/mixed input-0 'mode=shared'
# On this controller the place of a recording is known to some milliseconds only.
loss_is_stated() { stream_note 1 0 1 | grep 'fifo_errors=1$'; }
check the_first_recorder_is_told_of_its_loss loss_is_stated
check the_first_recorder_has_no_error guest_end 1 20

check guests_have_no_complaint no_complaint 1 2
hand_out 1
hand_out 2
check no_zombies only_domains Domain-0 snddom guest1 guest2
check the_iommu_refused_nothing no_faults
