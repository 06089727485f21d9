# Which step a pod takes next. One decision for all stages, so that never two of them match.
# @DELAYED@ is true when pods take time to start.
(.metadata.annotations // {}) as $asked
| ($asked["sojourn.dev/test-pod"] // "") as $act
| (.status.phase // "Pending") as $phase
| (.status.containerStatuses[0].state // {}) as $first
| ([.status.conditions[]? | select(.type == "Ready") | .status][0] == "True") as $ready
| (.spec.restartPolicy // "Always") as $restart
| if .metadata.deletionTimestamp != null then
    if $phase == "Running" then "terminate" else "delete" end
  elif $phase == "Pending" then
    if ($first == {}) and (@DELAYED@ or $asked["sojourn.dev/test-start-delay"] != null or $act == "pending" or $act == "image-pull-fail") then "create"
    elif $act == "pending" then "none"
    elif $act == "image-pull-fail" then
      if $first.waiting.reason == "ImagePullBackOff" then "none" else "image-pull-fail" end
    else "start" end
  elif $phase == "Running" then
    if $act == "crash-loop" then
      if $first.waiting != null then "none" else "crash" end
    elif $act == "not-ready" and $ready then "not-ready"
    elif $act != "not-ready" and ($ready | not) then "ready"
    elif $asked["sojourn.dev/test-complete-after"] == null or $restart == "Always" then "none"
    elif $restart == "OnFailure" and ($asked["sojourn.dev/test-exit-code"] // "0") != "0" then "none"
    else "complete" end
  else "none" end
