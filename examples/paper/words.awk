# Turns English text into lines of words as language models count them: lower case, no punctuation, N for numbers,
# <unk> for words that the training text has fewer than `least` (3) times. A line without words goes.
#
#     awk -f words.awk train.txt train.txt > words.train.txt          counts, then writes
#     awk -f words.awk train.txt valid.txt > words.valid.txt          the words of train.txt in another text

function words(line) {
  line = tolower(line)
  gsub(/’|‘/, "'", line)
  gsub(/“|”|—|–|…/, " ", line)
  gsub(/[^a-z0-9'\200-\377]/, " ", line)
  gsub(/[0-9]+[a-z]*/, "N", line)
  gsub(/ '+|'+ |^'+|'+$/, " ", line)
  return line
}

BEGIN { if (!least) least = 3 }

FNR == 1 { pass++ }

{ count = split(words($0), word, " ") }

pass == 1 { for (i = 1; i <= count; i++) seen[word[i]]++ }

pass == 2 && count > 0 {
  for (i = 1; i <= count; i++) printf("%s%s", (seen[word[i]] < least ? "<unk>" : word[i]), (i < count ? " " : "\n"))
}
