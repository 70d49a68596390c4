# Rights by the guests' names, which outlive their domains; and a monitor, which is heard by a right of its own.

# All use the same output and input. The second PCM device hears the output.
card() {
    echo "'card, backend=snddom, buffer-size=65536, short-name=VCard, long-name=Virtual sound card," \
        "sample-rates=48000, sample-formats=s16_le', 'pcm, name=dev1'," \
        "'stream, unique-id=output-0, type=P', 'stream, unique-id=input-0, type=C'," \
        "'pcm, name=dev2', 'stream, unique-id=monitor-0, type=C'"
}
tool() { sh /rig/snddom "$@"; }
record='arecord -q -D hw:0,0 -f S16_LE -c 2 -r 48000 -d 1 /out/input.wav'
play='aplay -q -D hw:0,0 /rig/sound.wav'

GUEST_MIB=128
start_driver_domain
# Not by the script, which would permit reading names at once.
xenstore-write "$policy/guest/guest1/may-record" 1
start_guest 1
xenstore-ls -fp "/local/domain/$guest_domid" | grep -E '/(name|vm) =' >/log/permissions.txt
first_domid=$guest_domid

# xl lets only the guest itself read its name.
check a_guest_of_no_known_name_does_not_play guest_fails 1 10 "$play"
missed() { snddom_said "/local/domain/$first_domid/name: this domain can't read it"; }
check the_log_says_what_to_do wait_for 10 missed

tool names --watch >/log/names.txt 2>&1 &
# has_rights N COUNT: the driver domain has seen so many changes of the guest's rights.
has_rights() {
    [ "$(snddom_said "backend/vsnd/$(cat "/run/guest$1.domid")/0: its rights have changed")" -ge "$2" ]
}
check its_name_is_read_then wait_for 10 has_rights 1 1
check it_records_by_its_name guest_run 1 10 "$record"
xl_log guest1 destroy guest1
start_guest 1
wait_for 10 has_rights 1 1
has_another_id() { echo "$first_domid, then $guest_domid"; [ "$guest_domid" != "$first_domid" ]; }
check it_comes_again_under_another_id has_another_id
check it_still_records guest_run 1 10 "$record"
start_guest 2
wait_for 10 has_rights 2 1
check another_guest_may_not guest_fails 2 10 "$record"
check another_guest_plays guest_run 2 10 "$play"

# To record inputs is not to hear others.
monitor='arecord -q -D hw:0,1 -f S16_LE -c 2 -r 48000 -d 4 /out/monitor.wav'
xenstore-write "$policy/port/output-0/mode" shared
tool allow --name guest2 record
wait_for 10 has_rights 2 2
check it_records_now guest_run 2 10 "$record"
check it_does_not_hear_others guest_fails 2 10 "$monitor"
tool allow --name guest2 hear monitor-0
wait_for 10 has_rights 2 3
monitor_runs() { xenstore-read "$policy/state/device/$guest_domid-0/1-0" | grep -q status=running; }
hears() {
    guest_begin 2 "$monitor"
    wait_for 5 monitor_runs && guest_run 1 10 "$play" && guest_end 2 10
}
check it_hears_the_other_by_that_right hears

# A new name is another guest's.
begin_recording() { guest_run 1 5 'arecord -q -D hw:0,0 -f S16_LE -c 2 -r 48000 /tmp/long.wav & true' && wait_for 5 is_running 1 0 1; }
check it_records_on begin_recording
xl rename guest1 other
stopped() { ! is_running 1 0 1; }
check it_stops_when_it_is_renamed wait_for 5 stopped
check the_iommu_refused_nothing no_faults
hand_out 2
