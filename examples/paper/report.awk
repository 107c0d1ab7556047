# Writes the report from the facts that run.sh found: lines with a name, a tab and a value. Verdicts are computed here.
#
#     awk -f report.awk facts.tsv > report.md

BEGIN {
  FS = "\t"
  kinds = split("soft sharpened gumbel", kind, " ")
  title["soft"] = "Baseline (soft gates)"
  title["sharpened"] = "Sharpened sigmoid (0.2)"
  title["gumbel"] = "G2-LSTM (Gumbel gates)"
  variants = split("original round clip svd9 svd18", variant, " ")

  # Table 3 of the paper: test perplexity on the Penn Treebank with the cache; "Original" without it is in Table 1.
  split("52.8 53.2 53.6 56.6 65.5", soft, " ")
  split("53.2 53.5 53.6 54.6 60.0", sharpened, " ")
  split("52.1 52.2 52.8 53.3 56.0", gumbel, " ")
  for (i = 1; i <= variants; i++) {
    paper["cache", "soft", i] = soft[i]
    paper["cache", "sharpened", i] = sharpened[i]
    paper["cache", "gumbel", i] = gumbel[i]
  }
  paper["plain", "soft", 1] = 57.3
  paper["plain", "sharpened", 1] = 57.5
  paper["plain", "gumbel", 1] = 56.1

  # Figures 1 and 3, from the heights of the bars: first decoder layer of the De-En translation model.
  figure["input", "soft"] = ".182 .158 .135 .115 .098 .085 .073 .062 .053 .039"
  figure["forget", "soft"] = ".044 .095 .120 .130 .127 .116 .103 .092 .086 .086"
  figure["input", "gumbel"] = ".043 .019 .018 .018 .020 .024 .030 .043 .081 .704"
  figure["forget", "gumbel"] = ".355 .072 .050 .041 .037 .036 .038 .044 .064 .263"
}

{ fact[$1] = $2 }

END {
  for (k = 1; k <= kinds; k++) isThere[kind[k]] = fact[kind[k] ".done"] == "yes"
  heading()
  verdicts()
  table("cache", "Test perplexity with the cache, as in Table 3", "cachePerplexity")
  table("plain", "Test perplexity without the cache", "perplexity")
  fewBits()
  sizes()
  curves()
  shares()
  histograms()
  settings()
  if (missing) exit 1
}

# Figures

# A number that run.sh must have found.
function need(name) {
  if (!(name in fact)) {
    print "report.awk: there is no " name > "/dev/stderr"
    missing = 1
    return 0
  }
  return fact[name] + 0
}

# A change in percent, with its sign.
function percent(change,   text) {
  text = sprintf("%+.1f %%", change)
  sub(/^[+-]0\.0 /, "0.0 ", text)
  return text
}

# A metric of a model by its name.
function metric(kind, variant, name, field,   i) {
  for (i = 0; i < 20; i++)
    if (fact[kind "." variant ".model.metrics." i ".name"] == name)
      return need(kind "." variant ".model.metrics." i "." field)
  return need(kind "." variant "." name)
}

function perplexity(kind, variant, name) { return metric(kind, variant, name, "value") }

# By how many percent a model is worse than its original.
function loss(kind, variant, name) {
  return 100 * (perplexity(kind, variant, name) / perplexity(kind, "original", name) - 1)
}

# The share of a gate's values in the end bins, over all layers and directions, or in one.
function endShare(kind, gate, layer,   i, prefix, count, inside) {
  for (i = 0; (prefix = kind ".data.gates." i) ".gate" in fact; i++) {
    if (fact[prefix ".gate"] != gate) continue
    if (layer != "" && place(prefix) != layer) continue
    count += fact[prefix ".count"]
    inside += fact[prefix ".count"] * fact[prefix ".nearlyBinaryShare"]
  }
  if (!count) {
    need(kind ".data.gates of " gate)
    return 0
  }
  return inside / count
}

# Where a gate is: its layer, and the direction when it is not forward.
function place(prefix) {
  return fact[prefix ".layer"] (fact[prefix ".direction"] == "forward" ? "" : " " fact[prefix ".direction"])
}

# Text

function heading() {
  print "# Binary-valued gates: the paper's claims, measured\n"
  print "Li et al., *Towards Binary-Valued Gates for Robust LSTM Training*, ICML 2018"
  print "([arXiv:1806.02988](https://arxiv.org/abs/1806.02988)), tested with lstmpack " fact["version"] " on `" \
    fact["test"] "`, network `" fact["model"] "`."
  if (fact["quick"] == "yes")
    print "\nThis is the quick form: a text and a network so small that the figures show how the report looks, and" \
      "\nnothing about the paper."
  print "\nThe paper has three layers of 1150 units (AWD-LSTM, 24 million parameters) and trains for 500 epochs and 500 more;"
  print "compare the losses in percent, not the perplexities."
}

function verdict(isConfirmed) { return isConfirmed ? "**confirmed at this scale**" : "**not confirmed at this scale**" }

function verdicts(   isBoth) {
  isBoth = isThere["soft"] && isThere["gumbel"]
  print "\n## Verdicts\n"
  print "| Claim | Paper | Here | Verdict |"
  print "| --- | --- | --- | --- |"
  if (isBoth) quality(); else unmeasured("Gumbel gates cost no quality")
  if (isBoth) robustness(); else unmeasured("Gumbel gates lose less than half of what soft ones lose by SVD at rank h/18")
  if (isThere["gumbel"]) saturation(); else unmeasured("More than 60 % of the values of input and forget gates are in the end bins")
}

function unmeasured(claim) { print "| " claim " | | | not measured |" }

# 1: the test perplexity of Gumbel gates is not above that of soft ones, with and without the cache.
function quality(   a, b, c, d) {
  a = perplexity("soft", "original", "perplexity")
  b = perplexity("gumbel", "original", "perplexity")
  c = perplexity("soft", "original", "cachePerplexity")
  d = perplexity("gumbel", "original", "cachePerplexity")
  printf "| 1. Gumbel gates cost no quality: test perplexity not above that of soft gates | 56.1 and 57.3; with the cache 52.1 and 52.8 | "
  printf "%.2f ± %.2f and %.2f ± %.2f; with the cache %.2f and %.2f | %s |\n", b, \
    metric("gumbel", "original", "perplexity", "standardError"), a, \
    metric("soft", "original", "perplexity", "standardError"), d, c, verdict(b <= a && d <= c)
}

# 2: the relative loss under SVD at rank h/18, with the cache as in Table 3, is less than half.
function robustness(   a, b, c, d) {
  a = loss("soft", "svd18", "cachePerplexity")
  b = loss("gumbel", "svd18", "cachePerplexity")
  c = loss("soft", "svd18", "perplexity")
  d = loss("gumbel", "svd18", "perplexity")
  printf "| 2. SVD at rank h/18 costs Gumbel gates less than half of what it costs soft ones, in percent and with the cache | "
  printf "%s and %s (%.3f times) | %s and %s%s; without the cache %s and %s%s | %s |\n", \
    percent(100 * (56.0 / 52.1 - 1)), percent(100 * (65.5 / 52.8 - 1)), (56.0 / 52.1 - 1) / (65.5 / 52.8 - 1), \
    percent(b), percent(a), times(b, a), percent(d), percent(c), times(d, c), verdict(a > 0 && b < a / 2)
}

# How many times b a is, where that means something.
function times(a, b) { return b > 0 ? sprintf(" (%.3f times)", a / b) : "" }

# 3: more than 60 % of the values of the input gates, and of the forget gates, are in [0, 0.1] or [0.9, 1].
function saturation(   a, b) {
  a = 100 * endShare("gumbel", "input", "")
  b = 100 * endShare("gumbel", "forget", "")
  printf "| 3. More than 60 %% of the values of input gates, and of forget gates, are in [0, 0.1] or [0.9, 1] | "
  printf "75 %% and 62 %% (translation) | %.1f %% and %.1f %%", a, b
  if (isThere["soft"])
    printf "; soft gates %.1f %% and %.1f %%", 100 * endShare("soft", "input", ""), 100 * endShare("soft", "forget", "")
  printf " | %s |\n", verdict(a > 60 && b > 60)
}

function table(measure, caption, name,   i, k, this, first) {
  print "\n## " caption "\n"
  print "| | Original | Round 0.2 | Round and clip 0.4 | SVD, rank h/9 | SVD, rank h/18 |"
  print "| --- | --: | --: | --: | --: | --: |"
  for (k = 1; k <= kinds; k++) {
    this = kind[k]
    printf "| %s: paper |", title[this]
    for (i = 1; i <= variants; i++) {
      first = paper[measure, this, 1]
      if (!((measure, this, i) in paper)) printf " – |"
      else if (i == 1) printf " %.1f |", first
      else printf " %.1f (%s) |", paper[measure, this, i], percent(100 * (paper[measure, this, i] / first - 1))
    }
    printf "\n| %s: here |", title[this]
    for (i = 1; i <= variants; i++) cell(this, variant[i], name)
    printf "\n"
  }
  if (measure == "cache") {
    print "\nIn brackets what compression costs. After ± is the standard error over tokens, taken as independent. Differences"
    print "within a row are on the same tokens, so their error is smaller."
  }
}

function cell(kind, variant, name) {
  if (!isThere[kind]) printf " – |"
  else if (variant == "original")
    printf " %.2f ± %.2f |", perplexity(kind, variant, name), metric(kind, variant, name, "standardError")
  else printf " %.2f (%s) |", perplexity(kind, variant, name), percent(loss(kind, variant, name))
}

function fewBits(   k) {
  print "\n## All gates in few bits\n"
  print "Not in the paper: both matrices of all four gates, a scale or codebook for each row.\n"
  print "| | 4 bits | 4 bits, with the cache | 2 bits | 2 bits, with the cache |"
  print "| --- | --: | --: | --: | --: |"
  for (k = 1; k <= kinds; k++) {
    printf "| %s |", title[kind[k]]
    cell(kind[k], "bits4", "perplexity")
    cell(kind[k], "bits4", "cachePerplexity")
    cell(kind[k], "bits2", "perplexity")
    cell(kind[k], "bits2", "cachePerplexity")
    printf "\n"
  }
}

# How much smaller the matrices are that a treatment is about.
function ratio(kind, variant,   i, prefix, before, after) {
  for (i = 0; (prefix = kind "." variant ".matrices." i) ".compressed" in fact; i++) {
    if (fact[prefix ".compressed"] != "true") continue
    before += fact[prefix ".bytesBefore"]
    after += fact[prefix ".bytesAfter"]
  }
  return after ? before / after : need(kind "." variant ".matrices")
}

function sizes(   k, i, all, name, names) {
  print "\n## How much smaller the compressed matrices are\n"
  print "| | Round | Round and clip | SVD, rank h/9 | SVD, rank h/18 | 4 bits | 2 bits |"
  print "| --- | --: | --: | --: | --: | --: | --: |"
  names = split("round clip svd9 svd18 bits4 bits2", all, " ")
  for (k = 1; k <= kinds; k++) {
    if (!isThere[kind[k]]) continue
    printf "| %s |", title[kind[k]]
    for (i = 1; i <= names; i++) printf " %.1f× |", ratio(kind[k], all[i])
    printf "\n"
  }
  print "\nThe first four are about the matrices of input and forget gates only. The paper says about 12 times for rank 64 of 1150, which"
  print "needs both matrices of a gate stacked; its code, and this report, take each matrix by itself, which gives 9 times."
}

function curves(   e, k, any) {
  for (k = 1; k <= kinds; k++) if ((kind[k] ".command") in fact) need(kind[k] ".epoch.1")
  for (k = 1; k <= kinds; k++) any = any || (kind[k] ".epoch.1" in fact)
  if (!any) return
  print "\n## Training: validation perplexity after each epoch\n"
  printf "| Epoch |"
  for (k = 1; k <= kinds; k++) printf " %s |", kind[k]
  printf "\n| --: |"
  for (k = 1; k <= kinds; k++) printf " --: |"
  printf "\n"
  for (e = 1; ; e++) {
    any = 0
    for (k = 1; k <= kinds; k++) any = any || (kind[k] ".epoch." e in fact)
    if (!any) break
    printf "| %d |", e
    for (k = 1; k <= kinds; k++) {
      if (kind[k] ".epoch." e in fact) printf " %.2f |", fact[kind[k] ".epoch." e]
      else printf " – |"
    }
    printf "\n"
  }
}

# The layers in their order, as `layer[1]`, `layer[2]`, …
function findLayers(   k, i, prefix, seen) {
  layers = 0
  for (k = 1; k <= kinds; k++)
    for (i = 0; (prefix = kind[k] ".data.gates." i) ".gate" in fact; i++)
      if (!(place(prefix) in seen)) {
        seen[place(prefix)] = 1
        layer[++layers] = place(prefix)
      }
}

function shares(   k, l) {
  findLayers()
  print "\n## Gate values in [0, 0.1] or [0.9, 1], on the test text\n"
  print "| | Layer | Input | Forget | Output |"
  print "| --- | --- | --: | --: | --: |"
  print "| Paper: LSTM | first decoder layer, De-En | 22 % | 13 % | – |"
  print "| Paper: G2-LSTM | first decoder layer, De-En | 75 % | 62 % | – |"
  for (k = 1; k <= kinds; k++) {
    if (!isThere[kind[k]]) continue
    for (l = 1; l <= layers; l++)
      if (hasLayer(kind[k], layer[l]))
        printf "| %s | %s | %.1f %% | %.1f %% | %.1f %% |\n", title[kind[k]], layer[l], \
          100 * endShare(kind[k], "input", layer[l]), 100 * endShare(kind[k], "forget", layer[l]), \
          100 * endShare(kind[k], "output", layer[l])
  }
}

function hasLayer(kind, layer,   i, prefix) {
  for (i = 0; (prefix = kind ".data.gates." i) ".gate" in fact; i++) if (place(prefix) == layer) return 1
  return 0
}

function repeat(text, count,   all) {
  while (count-- > 0) all = all text
  return all
}

# A bar for a share, with the share; a mark for each four percent.
function bar(share,   marks) {
  marks = int(share * 25 + 0.5)
  if (marks > 20) marks = 20
  return repeat("█", marks) repeat(" ", 20 - marks) sprintf(" %5.1f %%", 100 * share)
}

# Ten bins of a gate, from the twenty that lstmpack gives, as `bin[0]`, …, `bin[9]`; false when it is not there.
function findBins(kind, gate, layer,   i, j, prefix, found) {
  for (j = 0; j < 10; j++) bin[j] = 0
  for (i = 0; (prefix = kind ".data.gates." i) ".gate" in fact; i++) {
    if (fact[prefix ".gate"] != gate || place(prefix) != layer) continue
    for (j = 0; j < 20; j++) bin[int(j / 2)] += need(prefix ".histogram." j) / need(prefix ".count")
    return 1
  }
  return 0
}

function histograms(   l, g, gates, gate) {
  print "\n## How gate values are spread (the paper's figures 1 and 3)"
  gates = split("input forget output", gate, " ")
  for (g = 1; g <= 2; g++) {
    print "\nThe paper, " gate[g] " gates, first decoder layer of the De-En translation model:\n\n```text"
    split(figure[gate[g], "soft"], bars, " ")
    for (j = 1; j <= 10; j++) column["soft", j - 1] = bars[j]
    split(figure[gate[g], "gumbel"], bars, " ")
    for (j = 1; j <= 10; j++) column["gumbel", j - 1] = bars[j]
    has["soft"] = has["gumbel"] = 1
    has["sharpened"] = 0
    drawBars()
    print "```"
  }
  for (l = 1; l <= layers; l++)
    for (g = 1; g <= gates; g++) {
      print "\nHere, " gate[g] " gates, " layer[l] ":\n\n```text"
      for (k = 1; k <= kinds; k++) {
        has[kind[k]] = isThere[kind[k]] && findBins(kind[k], gate[g], layer[l])
        for (j = 0; j < 10; j++) column[kind[k], j] = bin[j]
      }
      drawBars()
      print "```"
    }
}

# The columns side by side.
function drawBars(   j, k, line) {
  line = "           "
  for (k = 1; k <= kinds; k++) if (has[kind[k]]) line = line sprintf("%-31s", kind[k])
  sub(/ +$/, "", line)
  print line
  for (j = 0; j < 10; j++) {
    line = sprintf("%.1f–%.1f   ", j / 10, (j + 1) / 10)
    for (k = 1; k <= kinds; k++) if (has[kind[k]]) line = line " " bar(column[kind[k], j]) "  "
    sub(/ +$/, "", line)
    print line
  }
}

function settings(   k, i, all, names) {
  print "\n## Settings and commands\n"
  print "```sh"
  for (k = 1; k <= kinds; k++) {
    if (!isThere[kind[k]]) continue
    if (kind[k] ".given" in fact) print "# " kind[k] ": " fact[kind[k] ".given"] ", trained before"
    else print fact[kind[k] ".command"]
  }
  names = split("round clip svd9 svd18 bits4 bits2", all, " ")
  for (k = 1; k <= kinds; k++) {
    if (!isThere[kind[k]]) continue
    for (i = 1; i <= names; i++) print fact[kind[k] "." all[i] ".command"]
  }
  print "lstmpack eval MODEL --data " fact["test"] " --vocab VOCAB --streams 1 --cache-window 500 --cache-theta 1 --cache-lambda 0.1"
  print "lstmpack analyze MODEL --data " fact["test"] " --vocab VOCAB"
  print "```\n"
  print "- The text is read as one stream with the state carried on, as in the authors' code; so the cache has one history. Its"
  print "  settings for the paper's rows are not known; these are those that AWD-LSTM gives for the Penn Treebank."
  print "- Rounding and SVD are about the input and forget gates, each matrix of each gate (h × h, in × h) by itself, as in the authors' code;"
  print "  biases, other gates, embedding and softmax are untouched. h is " fact["units"] " here."
  print "- Gumbel gates are plain sigmoids in evaluation, without noise and temperature. Sharpened ones keep their temperature, which"
  print "  lstmpack puts into the weights (5 times as large), so they are rounded to 1 and clipped at 2, which is 0.2 and 0.4 before."
  print "- Noise is drawn for each element with probability 0.2 at each step, which is in the authors' code and not in the paper."
}
