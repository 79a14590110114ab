"""The style of the documentation page, for phones and wide screens, light and dark.

Every colour of text has a contrast of at least 4.5 to 1 on what it stands on (WCAG 2.2, 1.4.3); a test works it out.
"""

STYLE = """
:root { color-scheme: light dark; --page: #ffffff; --text: #1b1f24; --soft: #57606a; --line: #d0d7de; --shade: #f3f5f8;
  --link: #0a58ca; --good: #136c37; --warn: #8a4b00; --bad: #b3261e; --on: #ffffff; }
@media (prefers-color-scheme: dark) { :root { --page: #12161b; --text: #e3e8ee; --soft: #a4aebb; --line: #39424d;
  --shade: #1d232b; --link: #84b6ff; --good: #6fd394; --warn: #f2b866; --bad: #ff9d94; --on: #12161b; } }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--text); font: 1rem/1.55 system-ui, sans-serif; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.skip { position: absolute; left: 1rem; top: -4rem; padding: .5rem 1rem; background: var(--link); color: var(--on); }
.skip:focus { top: .5rem; z-index: 1; }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: .875em; }
code { background: var(--shade); border-radius: .25rem; padding: .1em .3em; overflow-wrap: anywhere; }
pre { background: var(--shade); border: 1px solid var(--line); border-radius: .4rem; padding: .75rem 1rem; margin: .5rem 0;
  white-space: pre-wrap; overflow-wrap: anywhere; }
pre code, th code, .route code { background: none; padding: 0; }
nav { padding: .75rem 1rem; border-bottom: 1px solid var(--line); background: var(--shade); }
nav summary { font-weight: 600; }
.group { margin: 1.25rem 0 .25rem; font-size: .8125rem; font-weight: 600; }
nav .group a { color: var(--soft); }
nav ul { list-style: none; margin: 0; padding: 0; }
nav a { display: flex; gap: .5rem; padding: .3rem 0; color: var(--text); text-decoration: none; overflow-wrap: anywhere; }
nav a:hover { text-decoration: underline; }
nav .method { flex: 0 0 3.4rem; align-self: start; margin-top: .2rem; }
main { padding: 1rem; max-width: 60rem; }
main:focus { outline: none; }
h1, h2, h3, h4 { line-height: 1.25; overflow-wrap: anywhere; }
h1 small { font-size: .55em; font-weight: 400; color: var(--soft); }
main h2 { margin: 3rem 0 .5rem; font-size: 1.6rem; }
article { margin: 1.5rem 0 2.5rem; padding-top: 1.5rem; border-top: 1px solid var(--line); }
h3 { margin: 0 0 .4rem; font-size: 1.25rem; }
h3 a { color: inherit; text-decoration: none; }
h3 a:hover { text-decoration: underline; }
h4 { margin: 1.5rem 0 .4rem; font-size: 1rem; }
h5 { margin: .75rem 0 0; font-size: .9375rem; }
p { margin: .5rem 0; }
.route { font-size: 1.05rem; }
.method { display: inline-block; padding: .1rem .4rem; border-radius: .25rem; background: var(--soft); color: var(--on);
  font: 700 .6875rem/1.4 ui-monospace, Menlo, Consolas, monospace; text-align: center; }
.get { background: var(--link); } .post { background: var(--good); } .put, .patch { background: var(--warn); }
.delete, .old { background: var(--bad); }
.soft, .parent, .rules, figcaption { color: var(--soft); }
.status { font-weight: 700; } .s2 { color: var(--good); } .s3, .s4 { color: var(--warn); } .s5 { color: var(--bad); }
table { width: 100%; border-collapse: collapse; margin: .5rem 0; font-size: .9375rem; }
th, td { padding: .45rem .75rem .45rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { font-size: .8125rem; color: var(--soft); font-weight: 600; }
tbody th { font-weight: 600; width: 30%; } .type { width: 20%; } .where, .need { width: 5.5rem; }
.must { font-weight: 600; }
td .rules { display: block; }
summary { cursor: pointer; padding: .3rem 0; }
.answer { border: 1px solid var(--line); border-radius: .4rem; padding: .2rem .9rem; margin: .4rem 0; }
.answer > p { padding: .3rem 0; margin: 0; }
figure { margin: .75rem 0; } figcaption { font-size: .875rem; }
@media (max-width: 40rem) { thead { display: none; } table, tbody, tr, th, td { display: block; }
  tr { padding: .6rem 0; border-bottom: 1px solid var(--line); } th, td { padding: 0; border: 0; }
  tbody th, .type, .where, .need { width: auto; } td:not(:last-child) { display: inline-block; margin-right: .75rem; } }
@media (min-width: 64rem) { body { display: grid; grid-template-columns: 19rem minmax(0, 1fr); }
  nav { position: sticky; top: 0; height: 100vh; overflow: auto; border: 0; border-right: 1px solid var(--line); }
  main { padding: 1.5rem 3rem 6rem; } }
@media (min-width: 64rem) { @supports selector(::details-content) {
  .menu > summary { display: none; } .menu::details-content { content-visibility: visible; block-size: auto; } } }
@media print { nav { display: none; } details::details-content { content-visibility: visible; block-size: auto; } }
"""
