#!/usr/bin/env bash
# Installs this bundle without a network. Looks at every byte first; on any difference nothing is installed.
#   sudo ./install.sh --expect SHA256 [--prefix /opt/prescreen] [--python python3.11] [--model FOLDER]
# --expect: the sum that `bundle.py` printed, which came to you by another way than this bundle.
set -euo pipefail
export LC_ALL=C

refuse() {
  echo "install.sh: $1" >&2
  exit 1
}

expect="" prefix=/opt/prescreen python=python3.11 model=""
while (($#)); do
  (($# > 1)) || refuse "$1 needs a value"
  case "$1" in
    --expect) expect=$2 ;;
    --prefix) prefix=$2 ;;
    --python) python=$2 ;;
    --model) model=$2 ;;
    *) refuse "$1 is no option; see the head of this file" ;;
  esac
  shift 2
done
[[ -n $expect ]] || refuse "--expect is missing: the sum of SHA256SUMS that came to you by another way"

# Every file below $1 must stand in the list $2 and be unchanged, and none may be there that the list does not name.
check_folder() {
  local folder=$1 list=$2 strays
  [[ -f $list ]] || refuse "$list is missing"
  (cd "$folder" && sha256sum --check --strict --quiet "$list") \
    || refuse "$folder is not what was bundled (see above); nothing was installed"
  strays=$(cd "$folder" && comm -13 <(cut -c67- "$list" | sort) \
    <(find . \( -type f -o -type l \) ! -path ./SHA256SUMS -printf '%P\n' | sort))
  [[ -z $strays ]] || refuse "$folder holds files that were not bundled: $strays; nothing was installed"
}

bundle=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
[[ -f $bundle/SHA256SUMS ]] || refuse "SHA256SUMS is missing; nothing was installed"
sum=$(sha256sum "$bundle/SHA256SUMS")
sum=${sum%% *}
[[ $sum == "$expect" ]] || refuse "SHA256SUMS is not the one you were told of ($sum); nothing was installed"
check_folder "$bundle" "$bundle/SHA256SUMS"
if [[ -n $model ]]; then
  check_folder "$(cd "$model" && pwd -P)" "$bundle/weights.sha256"
fi

# -I: no file of this folder or of the user can stand in for a module.
version=$("$python" -I - "$bundle/BUNDLE.json" <<'PYTHON'
import json, platform, sys
made = json.load(open(sys.argv[1]))
here = {"python": ".".join(platform.python_version_tuple()[:2]), "system": platform.system(), "machine": platform.machine()}
wrong = [f"{key} {made[key]}, here {here[key]}" for key in here if made[key] != here[key]]
sys.exit("this bundle was made for " + "; ".join(wrong)) if wrong else print(made["version"])
PYTHON
) || refuse "another Python or machine than the bundle was made for; nothing was installed"

release=$prefix/releases/$version-${sum:0:12}
if [[ ! -f $release/.complete ]]; then
  rm -rf "$release"
  mkdir -p "$prefix/releases"
  "$python" -I -m venv "$release"
  # No configuration file, no variable and no index can add a source of packages.
  PIP_CONFIG_FILE=/dev/null "$release/bin/python" -I -m pip --isolated install --quiet --no-index --no-cache-dir \
    --require-hashes --find-links "$bundle/wheels" --requirement "$bundle/requirements.txt"
  PIP_CONFIG_FILE=/dev/null "$release/bin/python" -I -m pip --isolated check >/dev/null
  "$release/bin/python" -I -c "import prescreen"
  mkdir "$release/bundle"
  cp -R "$bundle/deploy" "$bundle/docs" "$bundle/sbom.cdx.json" "$bundle/requirements.txt" "$release/bundle/"
  touch "$release/.complete"
fi
# The switch is one rename, so the service finds the old release or the new one, never half of one.
ln -sfn "$release" "$prefix/.next"
mv -T "$prefix/.next" "$prefix/current"
echo "installed $release; $prefix/current points to it. The releases before it are kept: see docs/deployment.md"
