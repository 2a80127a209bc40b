# Sets TF_CONFIG from what Slurm or a Kubernetes Indexed Job tells a worker about itself. Source it on every worker:
#     . configs/cluster/tf_config.sh
# TF_CONFIG names all workers in the same order everywhere; worker 0 is the chief, which alone writes the run folder.
PORT="${PORT:-2222}"
if [ -n "${SLURM_JOB_NODELIST:-}" ]; then  # one task a node: srun --ntasks-per-node=1
    workers=$(scontrol show hostnames "$SLURM_JOB_NODELIST")
    index=$SLURM_PROCID
elif [ -n "${JOB_COMPLETION_INDEX:-}" ]; then  # pods of an Indexed Job NAME are NAME-0, NAME-1, … of the service SERVICE
    workers=$(for number in $(seq 0 $((WORKERS - 1))); do echo "$JOB_NAME-$number.$SERVICE"; done)
    index=$JOB_COMPLETION_INDEX
else
    echo "neither SLURM_JOB_NODELIST nor JOB_COMPLETION_INDEX is set: start this under srun or in an Indexed Job" >&2
    exit 1
fi
list=""
for worker in $workers; do list="${list:+$list, }\"$worker:$PORT\""; done
export TF_CONFIG="{\"cluster\": {\"worker\": [$list]}, \"task\": {\"type\": \"worker\", \"index\": $index}}"
