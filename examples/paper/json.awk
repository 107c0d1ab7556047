# Flattens JSON as lstmpack prints it: a line with a path, a tab and the value for each text, number, truth value and null.
#
#     awk -v prefix=soft -f json.awk report.json        soft.model.metrics.0.name<TAB>perplexity

function emit(value,   path, i) {
  path = prefix
  for (i = 1; i <= depth; i++) path = path "." (isList[i] ? place[i] : key[i])
  print path "\t" value
}

{
  rest = $0
  while (match(rest, /"([^"\\]|\\.)*"|[][{},:]|[^][{},:" \t]+/)) {
    token = substr(rest, RSTART, RLENGTH)
    rest = substr(rest, RSTART + RLENGTH)
    if (token == "{" || token == "[") {
      depth++
      isList[depth] = token == "["
      place[depth] = 0
      wantsKey = token == "{"
    } else if (token == "}" || token == "]") {
      depth--
      wantsKey = 0
    } else if (token == ",") {
      if (isList[depth]) place[depth]++
      else wantsKey = 1
    } else if (token == ":") {
      wantsKey = 0
    } else {
      if (token ~ /^"/) token = substr(token, 2, length(token) - 2)
      if (wantsKey) key[depth] = token
      else emit(token)
    }
  }
}
