/// The style of the page: light and dark, and on paper.
enum PageStyles {
  static let text = """
    :root { color-scheme: light dark; --page: #ffffff; --text: #1b1b1f; --soft: #5a5f66; --line: #d4d7db;
      --box: #f5f6f8; --accent: #0b5cad;
      --s0: #0b5cad; --s1: #b34700; --s2: #2e7d32; --s3: #7b3fa0; --s4: #00707a; --s5: #a3195b; --s6: #6b5500; --s7: #444b54;
      --h0: #fffdf5; --h1: #fff0c9; --h2: #fedc94; --h3: #fdbb63; --h4: #f4924a; --h5: #b93a1c; --h6: #7a1210;
      --t0: #1b1b1f; --t5: #ffffff; }
    @media (prefers-color-scheme: dark) { :root { --page: #15171a; --text: #e8e9eb; --soft: #a8adb5; --line: #3a3f46;
      --box: #1f2226; --accent: #7db7f5;
      --s0: #7db7f5; --s1: #ffa766; --s2: #82cf87; --s3: #cfa0ee; --s4: #63cdd6; --s5: #f58cbd; --s6: #dcc668; --s7: #c1c7cf;
      --h0: #1d2024; --h1: #33291a; --h2: #4d3716; --h3: #6b4311; --h4: #8a4a10; --h5: #f0a04b; --h6: #ffd58a;
      --t0: #f2f2f3; --t5: #1b1b1f; } }
    * { box-sizing: border-box; }
    body { margin: 0 auto; max-width: 72rem; padding: 0 1.25rem 4rem; background: var(--page); color: var(--text);
      font: 15px/1.5 system-ui, sans-serif; }
    h1 { font-size: 1.5rem; margin: 1.5rem 0 0; overflow-wrap: anywhere; } h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; }
    h3 { font-size: 1rem; margin: 0; } a { color: var(--accent); } .soft { color: var(--soft); }
    .skip { position: absolute; left: -999px; } .skip:focus { left: 1rem; top: .5rem; background: var(--page); padding: .25rem .5rem; }
    nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1rem; list-style: none; padding: 0; margin: .5rem 0; }
    .verdict { background: var(--box); border-left: 4px solid var(--accent); padding: .5rem 1rem; margin: 1rem 0; }
    .verdict p { margin: .25rem 0; } code, pre { font: 13px/1.45 ui-monospace, monospace; overflow-wrap: anywhere; }
    pre { background: var(--box); padding: .75rem; overflow-x: auto; }
    table { border-collapse: collapse; font-variant-numeric: tabular-nums; } .wide { overflow-x: auto; }
    th, td { padding: .18rem .5rem; text-align: right; border-bottom: 1px solid var(--line); font-weight: normal; }
    th:first-child, td:first-child { text-align: left; } thead th { color: var(--soft); vertical-align: bottom; }
    td.text { text-align: left; } caption { text-align: left; padding: .25rem 0; color: var(--soft); }
    .heat td { border: 1px solid var(--page); min-width: 4.2rem; } .heat tr.first > * { border-top: 6px solid var(--page); }
    .l0 { background: var(--h0); color: var(--t0); } .l1 { background: var(--h1); color: var(--t0); }
    .l2 { background: var(--h2); color: var(--t0); } .l3 { background: var(--h3); color: var(--t0); }
    .l4 { background: var(--h4); color: var(--t0); } .l5 { background: var(--h5); color: var(--t5); }
    .l6 { background: var(--h6); color: var(--t5); } .lnone { color: var(--soft); }
    .legend { display: flex; flex-wrap: wrap; gap: .25rem; margin: .5rem 0; padding: 0; list-style: none; font-size: 13px; }
    .legend li { padding: .1rem .5rem; border: 1px solid var(--line); }
    .views > input { position: absolute; opacity: 0; } .views > label { display: inline-block; padding: .25rem .75rem;
      border: 1px solid var(--line); margin: 0 -1px .5rem 0; cursor: pointer; }
    .views > input:checked + label { background: var(--accent); color: var(--page); border-color: var(--accent); }
    .views > input:focus-visible + label { outline: 3px solid var(--s1); } .view { display: none; }
    #v-only:checked ~ #only, #v-allBut:checked ~ #allBut, #v-drift:checked ~ #drift-view, #v-weights:checked ~ #weights { display: block; }
    .plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(340px, 1fr)); gap: 1.25rem; }
    .beside { display: flex; flex-wrap: wrap; gap: 1.25rem; align-items: flex-start; } .beside figure { flex: 0 1 420px; min-width: 300px; }
    figure { margin: 0; break-inside: avoid; } figcaption { font-weight: 600; overflow-wrap: anywhere; } svg { width: 100%; height: auto; display: block; }
    svg text { fill: var(--soft); font: 11px system-ui, sans-serif; } .axis { stroke: var(--line); fill: none; }
    .mark { stroke: var(--text); stroke-dasharray: 2 3; } .marktext { fill: var(--text) !important; }
    .curve { fill: none; stroke-width: 1.6; } .dashed { stroke-dasharray: 6 3; } .bar { fill: var(--s0); }
    .c0 { stroke: var(--s0); color: var(--s0); } .c1 { stroke: var(--s1); color: var(--s1); } .c2 { stroke: var(--s2); color: var(--s2); }
    .c3 { stroke: var(--s3); color: var(--s3); } .c4 { stroke: var(--s4); color: var(--s4); } .c5 { stroke: var(--s5); color: var(--s5); }
    .c6 { stroke: var(--s6); color: var(--s6); } .c7 { stroke: var(--s7); color: var(--s7); } .c8 { stroke: var(--text); color: var(--text); }
    .point { fill: currentColor; } .hit { fill: transparent; stroke: none; }
    .key { display: flex; flex-wrap: wrap; gap: 0 .9rem; list-style: none; margin: 0; padding: 0; font-size: 13px; }
    .key span { display: inline-block; width: 22px; border-top: 2px solid currentColor; vertical-align: middle; margin-right: .3rem; }
    .key span.dash { border-top-style: dashed; }
    [data-tip]:focus { outline: 3px solid var(--s1); outline-offset: -2px; } g[data-tip]:focus .point { stroke-width: 6; }
    #tip { position: fixed; z-index: 9; pointer-events: none; background: var(--text); color: var(--page); padding: .25rem .6rem;
      border-radius: 4px; font-size: 13px; max-width: 26rem; } #tip[hidden] { display: none; }
    .histogram { width: 200px; } details { margin: .75rem 0; } summary { cursor: pointer; color: var(--accent); }
    @media print { :root { --page: #fff; --text: #000; --soft: #333; --line: #999; --box: #fff; --accent: #000;
        --h0: #fff; --h1: #f4f4f4; --h2: #e4e4e4; --h3: #d0d0d0; --h4: #b8b8b8; --h5: #777; --h6: #444; --t0: #000; --t5: #fff;
        --s0: #000; --s1: #555; --s2: #000; --s3: #555; --s4: #000; --s5: #555; --s6: #000; --s7: #555; }
      body { max-width: none; font-size: 10pt; } nav, .skip, .views > input, .views > label, #tip { display: none; }
      .view { display: block !important; break-inside: avoid; } .wide { overflow: visible; }
      .heat td { print-color-adjust: exact; -webkit-print-color-adjust: exact; min-width: 0; }
      table { font-size: 8pt; } tr, figure { break-inside: avoid; } h2 { break-after: avoid; } details:not([open]) { display: none; } }
    """
}
