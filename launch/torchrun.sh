#!/usr/bin/env bash
# All stages of a folder on one machine; training stages on all its GPUs, the others in one process.
#   GPUS   processes, one a card      FOLDER   recipes      ROWS   rows of a step, at least one a process
set -euo pipefail
gpus=${GPUS:-8}
folder=${FOLDER:-recipes/gpt-oss-20b}
rows=optimisation.rows_per_step=${ROWS:-$gpus}

prescreen run "$folder/01-data.yaml"
for stage in 02-cpt 03-sft 04-instruct 05-dpo; do
  torchrun --standalone --nproc-per-node "$gpus" -m prescreen.cli run "$folder/$stage.yaml" "$rows"
done
prescreen run "$folder" "$rows" # what is trained is skipped
