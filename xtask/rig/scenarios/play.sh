# The driver domain, and guests that each run one command.
start_driver_domain
sleep 5
