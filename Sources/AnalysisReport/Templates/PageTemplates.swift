/// The templates of the page, in Mustache.
enum PageTemplates {
  static let all = [
    "page": page, "heat": heat, "gates": gates, "spectra": spectra, "drift": drift,
    "frontier": frontier, "first": first, "left": left, "plot": plot, "histogram": histogram,
  ]

  private static let page = """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>{{file}}: which gates bear compression</title>
    <style>
    {{{styles}}}
    </style>
    </head>
    <body>
    <a class="skip" href="#main">Skip to the report</a>
    <header>
    <h1>{{file}}: which gates bear compression</h1>
    <p class="soft">LSTM matrices: {{lstmBytes}} as float32.{{#origin}} Figures from running the model are on {{text}}.{{/origin}}</p>
    <nav aria-label="Sections"><ul>
    <li><a href="#heat">Treatments</a></li>{{#gates}}<li><a href="#gates">Gates</a></li>{{/gates}}
    <li><a href="#spectra">Spectra</a></li>{{#drift}}<li><a href="#drift">Drift</a></li>{{/drift}}
    {{#frontier}}<li><a href="#frontier">Size and quality</a></li>{{/frontier}}
    {{#firstOrder}}<li><a href="#first">Cheap ranking</a></li>{{/firstOrder}}
    {{#left}}<li><a href="#left">Left out</a></li>{{/left}}
    </ul></nav>
    </header>
    <main id="main">
    <section class="verdict" aria-label="Verdict">
    {{#verdict}}<p>{{.}}</p>
    {{/verdict}}<p>Next: <code>{{next}}</code></p>
    </section>
    <details><summary>The suggested plan, for <code>compress --plan</code></summary><pre>{{plan}}</pre></details>
    {{#heat}}{{> heat}}{{/heat}}
    {{#gates}}{{> gates}}{{/gates}}
    {{#spectra}}{{> spectra}}{{/spectra}}
    {{#drift}}{{> drift}}{{/drift}}
    {{#frontier}}{{> frontier}}{{/frontier}}
    {{#firstOrder}}{{> first}}{{/firstOrder}}
    {{#left}}{{> left}}{{/left}}
    </main>
    <div id="tip" role="tooltip" hidden></div>
    <script>
    {{{script}}}
    </script>
    </body>
    </html>

    """

  private static let heat = """
    <section id="heat">
    <h2>What each treatment of each matrix costs</h2>
    <div class="views">
    {{#views}}<input type="radio" name="view" id="v-{{id}}"{{#isFirst}} checked{{/isFirst}}><label for="v-{{id}}">{{name}}</label>{{/views}}
    {{#views}}
    <div class="view" id="{{panel}}">
    <ul class="legend" aria-label="Colors">{{#legend}}<li class="l{{level}}">{{text}}</li>{{/legend}}</ul>
    <div class="wide"><table class="heat" data-group="{{width}}">
    <caption>{{caption}}</caption>
    <thead><tr><th scope="col">matrix</th>{{#columns}}<th scope="col">{{.}}</th>{{/columns}}</tr></thead>
    <tbody>
    {{#rows}}<tr{{#startsGroup}} class="first"{{/startsGroup}}><th scope="row">{{name}}</th>{{#cells}}<td class="l{{level}}" data-tip="{{detail}}">{{text}}</td>{{/cells}}</tr>
    {{/rows}}</tbody>
    </table></div>
    </div>
    {{/views}}
    </div>
    </section>
    """

  private static let gates = """
    <section id="gates">
    <h2>How the values of the gates are spread</h2>
    <p class="soft">Near 0 or 1: the share of values within 0.1 of them. Slope: the mean derivative of the gate. Sensitivity:
    √(E‖diag(σ′(a)) W‖²), how far the gate moves with its input x (W), its previous output h (R), and both; a binary gate hardly moves.</p>
    <div class="wide"><table>
    <thead><tr><th scope="col">gate</th><th scope="col">near 0 or 1</th><th scope="col">slope</th><th scope="col">to x</th><th scope="col">to h</th><th scope="col">to both</th><th scope="col">histogram</th></tr></thead>
    <tbody>
    {{#gates}}<tr><th scope="row">{{name}}</th><td>{{share}}</td><td>{{slope}}</td>{{#sensitivities}}<td>{{.}}</td>{{/sensitivities}}<td>{{#histogram}}{{> histogram}}{{/histogram}}</td></tr>
    {{/gates}}</tbody>
    </table></div>
    </section>
    """

  private static let spectra = """
    <section id="spectra">
    <h2>Singular values</h2>
    <p class="soft">From the break-even rank on, two float factors are no smaller than the matrix. A curve that falls early bears low rank.</p>
    <div class="plots">{{#plots}}{{> plot}}{{/plots}}</div>
    <details><summary>All numbers</summary><div class="wide"><table>
    <thead><tr><th scope="col">matrix</th><th scope="col">shape</th><th scope="col">σ₁</th><th scope="col">stable rank</th><th scope="col">effective rank</th><th scope="col">break-even rank</th><th scope="col">rank for 90 %</th><th scope="col">for 99 % of the energy</th><th scope="col">kurtosis</th><th scope="col">dead rows</th></tr></thead>
    <tbody>
    {{#matrices}}<tr><th scope="row">{{name}}</th><td>{{shape}}</td><td>{{first}}</td><td>{{stable}}</td><td>{{effective}}</td><td>{{breakEven}}</td><td>{{rank90}}</td><td>{{rank99}}</td><td>{{kurtosis}}</td><td>{{dead}}</td></tr>
    {{/matrices}}</tbody>
    </table></div></details>
    </section>
    """

  private static let drift = """
    <section id="drift">
    <h2>Drift over long sequences</h2>
    <p class="soft">The relative error of h and c after so many steps when one matrix is compressed: the root mean square over the matrices of a layer, on {{sequences}} sequences.</p>
    <div class="plots">{{#plots}}{{> plot}}{{/plots}}</div>
    <details><summary>All numbers: h / c of each matrix</summary><div class="wide"><table>
    <thead><tr><th scope="col">matrix</th><th scope="col">treatment</th>{{#steps}}<th scope="col">step {{.}}</th>{{/steps}}</tr></thead>
    <tbody>
    {{#rows}}<tr><th scope="row">{{name}}</th><td>{{treatment}}</td>{{#values}}<td>{{.}}</td>{{/values}}</tr>
    {{/rows}}</tbody>
    </table></div></details>
    </section>
    """

  private static let frontier = """
    <section id="frontier">
    <h2>Size against quality</h2>
    <div class="beside">{{#plot}}{{> plot}}{{/plot}}
    <div class="wide"><table>
    <thead><tr><th scope="col">plan</th><th scope="col">size</th><th scope="col">ratio</th><th scope="col">worse by</th></tr></thead>
    <tbody>{{#points}}<tr><th scope="row">{{name}}</th><td>{{bytes}}</td><td>{{ratio}}</td><td>{{change}}</td></tr>
    {{/points}}</tbody>
    </table></div></div>
    </section>
    """

  private static let first = """
    <section id="first">
    <h2>A cheap ranking beside the measurement</h2>
    <p class="soft">Two runs for each matrix, instead of one for each treatment, tell what to expect. Rank correlation with the measured
    divergence: {{correlation}}, with the change of the metric: {{withChange}}.</p>
    <div class="beside">{{#plot}}{{> plot}}{{/plot}}
    <div class="wide"><table><caption>Where it misleads most</caption>
    <thead><tr><th scope="col">matrix</th><th scope="col">treatment</th><th scope="col">expected place</th><th scope="col">measured place</th></tr></thead>
    <tbody>{{#misleading}}<tr><th scope="row">{{name}}</th><td>{{treatment}}</td><td>{{predicted}}</td><td>{{direct}}</td></tr>
    {{/misleading}}</tbody>
    </table></div></div>
    </section>
    """

  private static let left = """
    <section id="left">
    <h2>What was left out, and why</h2>
    <div class="wide"><table>
    <thead><tr><th scope="col">name</th><th scope="col">bytes</th><th scope="col">reason</th></tr></thead>
    <tbody>{{#rows}}<tr><th scope="row">{{name}}</th><td>{{bytes}}</td><td class="text">{{reason}}</td></tr>
    {{/rows}}</tbody>
    </table></div>
    </section>
    """

  private static let plot = """
    <figure>
    <figcaption>{{title}}</figcaption>
    <svg viewBox="0 0 {{width}} {{height}}" role="group" aria-label="{{title}}: {{yTitle}} over {{xTitle}}" data-group="1">
    <path class="axis" d="M{{left}} {{top}}V{{bottom}}H{{right}}"/>
    {{#xTicks}}<text x="{{at}}" y="{{tickBottom}}" text-anchor="middle">{{text}}</text>{{/xTicks}}
    {{#yTicks}}<path class="axis" d="M{{left}} {{at}}H{{right}}" opacity=".5"/><text x="{{tickLeft}}" y="{{at}}" dy="4" text-anchor="end">{{text}}</text>{{/yTicks}}
    <text x="{{xMiddle}}" y="{{titleBottom}}" text-anchor="middle">{{xTitle}}</text>
    <text x="12" y="{{yMiddle}}" text-anchor="middle" transform="rotate(-90 12 {{yMiddle}})">{{yTitle}}</text>
    {{#marks}}<path class="mark" d="M{{at}} {{top}}V{{bottom}}"/><text class="marktext" x="{{at}}" y="{{top}}" dx="-4" dy="10" text-anchor="end">{{text}}</text>{{/marks}}
    {{#series}}<path class="curve c{{color}}{{#dashed}} dashed{{/dashed}}" d="{{path}}"/>{{#points}}<g class="c{{color}}" data-tip="{{text}}" role="img" aria-label="{{text}}" tabindex="-1"><title>{{text}}</title><circle class="hit" cx="{{x}}" cy="{{y}}" r="7"/><circle class="point" cx="{{x}}" cy="{{y}}" r="2.2"/></g>{{/points}}{{/series}}
    </svg>
    <ul class="key">{{#legend}}<li class="c{{color}}"><span{{#dashed}} class="dash"{{/dashed}}></span>{{name}}</li>{{/legend}}</ul>
    </figure>
    """

  private static let histogram = """
    <svg class="histogram" viewBox="0 0 {{width}} {{height}}" role="group" aria-label="Histogram from {{low}} to {{high}}" data-group="1">
    {{#bars}}<g data-tip="{{text}}" role="img" aria-label="{{text}}" tabindex="-1"><title>{{text}}</title><rect class="hit" x="{{x}}" y="0" width="{{width}}" height="56"/><rect class="bar" x="{{x}}" y="{{y}}" width="{{width}}" height="{{height}}"/></g>{{/bars}}
    </svg>
    """
}
