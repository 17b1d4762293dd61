package jinja

import (
	"fmt"
	"strings"
	"testing"

	"modelwall/scan"
	"modelwall/scan/scantest"
)

func TestAcceptance(t *testing.T) {
	scantest.Run(t, New(), []scantest.Sample{
		{Name: "chat", Data: []byte("{% for m in messages %}<|{{ m.role }}|>{{ m['content'] }}{% endfor %}"), Worst: scan.Info},
		{Name: "walk", Data: []byte("{{ cycler.__init__.__globals__.os.popen('id').read() }}"), Worst: scan.SeverityMalicious},
		{Name: "lookup by a hidden name", Data: []byte("{{ x|attr(y) }}"), Worst: scan.SeveritySuspicious},
		{Name: "walk in a text with an error", Data: []byte("{{ ''.__class__.__base__ }} {{ ) }}"), Worst: scan.SeveritySuspicious, Err: scan.ErrForeign},
		{Name: "no template", Data: []byte(`\frac{{a}}{{b}`), Worst: scan.Info, Err: scan.ErrForeign},
		{Name: "commented", Data: []byte("{# {{ ''.__class__.__base__ }} #}{{ x }}"), Worst: scan.Info},
		{Name: "raw", Data: []byte("{% raw %}{{ ''.__class__.__base__ }}{% endraw %}{{ x }}"), Worst: scan.Info},
		{Name: "not UTF-8", Data: []byte("{{ x }}" + strings.Repeat(" ", 50_000) + "\xff" + strings.Repeat(" ", 100_000)), Worst: scan.Info, Err: scan.ErrForeign},
	})
}

// worst scans a template.
func worst(t *testing.T, text string) (scan.Severity, []scan.Finding, error) {
	t.Helper()
	if !New().Match(scantest.Probe("x", []byte(text))) {
		t.Errorf("Match = false: %s", text)
	}
	r, err := scantest.Scan(New(), "x", []byte(text))
	return r.Worst(), r.Findings, err
}

// TestWalks: whatever the spelling, the way to Python's internals is seen.
func TestWalks(t *testing.T) {
	for _, text := range []string{
		// The classic ones.
		`{{ ''.__class__.__mro__[1].__subclasses__() }}`,
		`{% for x in ().__class__.__base__.__subclasses__() %}{% if 'warning' in x.__name__ %}{{ x()._module.__builtins__['__import__']('os').popen('id').read() }}{% endif %}{% endfor %}`,
		`{{ lipsum.__globals__.os.popen('id').read() }}`,
		`{{ self.__init__.__globals__['os'] }}`,
		`{{ request.application.__globals__.__builtins__ }}`,
		`{{ namespace.__init__.__globals__ }}`,
		`{{ self._TemplateReference__context }}`,
		`{{ __builtins__['eval']('1') }}`,
		`{{ __import__('os').system('id') }}`,
		`{{ (messages|map('upper')).gi_frame.f_back.f_builtins }}`,
		`{{ ''.__class__.mro()[1] }}`,
		`{{ os.popen('id').read() }}`,
		`{{ subprocess.call(['id']) }}`,
		// Spelled as keys and filters.
		`{{ ''['__class__']['__base__'] }}`,
		`{{ ''|attr('__class__')|attr('__base__') }}`,
		`{{ x['__import__']('os') }}`,
		`{{ x|map(attribute='__class__.__base__')|list }}`,
		`{{ x|selectattr('__class__.__init__')|list }}`,
		`{{ x|groupby('__globals__') }}`,
		`{{ x|map('attr', '__globals__')|list }}`,
		`{{ x|map(**{'attribute': '__globals__'})|list }}`,
		`{{ '{0.__class__.__init__.__globals__}'.format(cycler) }}`,
		`{{ getattr('', '__globals__') }}`,
		// Escapes.
		`{{ ''["\x5f\x5fclass\x5f\x5f"] }}`,
		`{{ ''["\u005f\u005fclass\u005f\u005f"] }}`,
		`{{ ''["\137\137class\137\137"] }}`,
		`{{ ''["\N{LOW LINE}_class__"] }}`,
		// Put together.
		`{{ ''['__cla' 'ss__'] }}`,
		`{{ ''['__cla' ~ 'ss__'] }}`,
		`{{ ''['__cla' + 'ss__'] }}`,
		`{{ ''['%s%s' % ('__cla', 'ss__')] }}`,
		`{{ ''['%c%cclass%c%c'|format(95, 95, 95, 95)] }}`,
		`{{ ''['{}{}'.format('__cla', 'ss__')] }}`,
		`{{ ''[['__cla', 'ss__']|join] }}`,
		`{{ ''[''.join(['__cla', 'ss__'])] }}`,
		`{{ ''['__ssalc__'[::-1]] }}`,
		`{{ ''['XXclassXX'|replace('X', '_')] }}`,
		`{{ ''['_' * 2 ~ 'class' ~ '_' * 2] }}`,
		`{% set a = '__cla' %}{% set b = 'ss__' %}{{ ()[a ~ b] }}`,
		`{% set g = '__glo' ~ 'bals__' %}`,
		`{% set ns = namespace(a='__glo') %}{{ lipsum[ns.a ~ 'bals__'] }}`,
		`{% macro k() %}__globals__{% endmacro %}{{ lipsum[k()] }}`,
		`{% set k %}__globals__{% endset %}{{ lipsum[k] }}`,
		`{% macro m(o, k) %}{{ o[k] }}{% endmacro %}{{ m(lipsum, '__globals__') }}`,
		`{% for k in ['__globals__'] %}{{ lipsum[k] }}{% endfor %}`,
		`{% for k, v in {'a': '__globals__'}.items() %}{{ lipsum[v] }}{% endfor %}`,
		`{% set d = {'a': '__globals__'} %}{{ lipsum[d.a] }}{{ lipsum[d['a']] }}`,
		`{{ lipsum[['x', '__globals__'][1]] }}`,
		`{{ lipsum['__GLOBALS__'|lower] }}`,
		`{{ lipsum['__globals__' if x else 'y'] }}`,
		`{{ lipsum[x or '__globals__'] }}`,
		`{{ lipsum[x|default('__globals__')] }}`,
		`{% set x = cycler.__init__ %}{{ x.__globals__ }}`,
		// Words that are variables where a value has to be.
		`{% set if = cycler %}{{ if.__init__.__globals__ }}`,
		`{% set not = cycler %}{{ '' ~ not.__init__.__globals__ }}`,
		`{% set in = cycler %}{{ 1 is eq if.__init__.__globals__ }}`,
		`{% for in, v in x %}{{ lipsum.__globals__ }}{% endfor %}`,
		// Places where expressions stand.
		`{% if x: %}{% endif %}{{ lipsum.__globals__ }}`,
		`{% set x = y if lipsum.__globals__ else 1 %}`,
		`{% include lipsum.__globals__ %}`,
		`{% with a = lipsum.__globals__, b = 1 %}{% endwith %}`,
		`{% macro m(a=lipsum.__globals__) %}{% endmacro %}`,
		`{% call m(lipsum.__globals__) %}{% endcall %}`,
		`{% filter replace('a', lipsum.__globals__) %}{% endfilter %}`,
		`{% for a in b if lipsum.__globals__ %}{% endfor %}`,
		`{% trans a=lipsum.__globals__ %}{% endtrans %}`,
		`{% do lipsum.__globals__ %}`,
		`{{ x[1:lipsum.__globals__] }}{{ x[:, lipsum.__globals__] }}`,
		`{{ {'a': [(lipsum.__globals__,)]} }}`,
		`{{ f(*lipsum.__globals__, **x) }}`,
		`{{- x is sameas(lipsum.__globals__) -}}`,
	} {
		if got, findings, err := worst(t, text); got != scan.SeverityMalicious || err != nil {
			t.Errorf("%v, %v: %s\n%+v", got, err, text, findings)
		}
	}
}

// TestDoubts: names that can not be worked out, bombs and hidden text.
func TestDoubts(t *testing.T) {
	for rule, texts := range map[string][]string{
		"jinja.walk": {`{{ x.__class__ }}`, `{{ x.__dict__ }}`, `{{ x['__init__'] }}`},
		"jinja.computed-name": {
			`{{ x|attr(request.args.a) }}`,
			`{% set u = (lipsum|string)[1] %}{{ ()[u ~ u ~ 'class' ~ u ~ u] }}`,
			`{% set u = (()|select|string|list)[24] %}{{ ()[u ~ u ~ 'class' ~ u ~ u] }}`,
			`{% set u = (bos_token|string)[1] %}{{ ()[u ~ u ~ 'class' ~ u ~ u] }}`,
			`{% set ns = namespace(x='') %}{% for c in ['_', '_', 'class', '_', '_'] %}{% set ns.x = ns.x ~ c %}{% endfor %}{{ ()[ns.x] }}`,
			`{% for i in x %}{% set t = ns.x ~ '_' %}{% set ns.x = t %}{% endfor %}{% set ns.x = 'class' %}{{ ()[ns.x] }}`,
			`{{ ()[joiner('x')()] }}`,
		},
		"jinja.builtin": {`{{ eval('1') }}`, `{{ open('/etc/passwd') }}`},
		"jinja.bomb": {
			`{% for a in range(1000000000) %}{% endfor %}`,
			`{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}`,
			`{{ 'a' * 1000000000 }}`,
			`{{ [0] * 1000000000 }}`,
			`{{ 10 ** 10000000 }}`,
			`{{ '%0999999999d' % 1 }}`,
			`{{ '{:>999999999}'.format(1) }}`,
			`{{ 'x'|center(1000000000) }}`,
			`{{ lipsum(n=1000000) }}`,
			`{% set ns = namespace(s='a') %}{% for a in x %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}`,
		},
		"jinja.load":        {`{% include '../../etc/passwd' %}`, `{% extends "/etc/passwd" %}`},
		"jinja.hidden-text": {"{{ x }}" + hiddenText("do as I say")},
	} {
		for _, text := range texts {
			got, findings, err := worst(t, text)
			if got != scan.SeveritySuspicious || err != nil || findings[len(findings)-1].Rule != rule {
				t.Errorf("%v, %v, want %s: %s\n%+v", got, err, rule, text, findings)
			}
		}
	}
}

// hiddenText writes ASCII as Unicode tag characters.
func hiddenText(s string) string {
	var b strings.Builder
	for _, c := range s {
		b.WriteRune(c + 0xe0000)
	}
	return b.String()
}

// TestHarmless: what templates of known models do.
func TestHarmless(t *testing.T) {
	for _, text := range []string{
		// Roles, special tokens, errors.
		`{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate') }}{% endif %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'].strip() + ' [/INST]' }}{% else %}{{ ' ' + message['content'] + eos_token }}{% endif %}{% endfor %}`,
		`{%- if messages[0]['role'] == 'system' -%}{%- set system = messages[0]['content'] | trim + '\n' -%}{%- set messages = messages[1:] -%}{%- else -%}{%- set system = '' -%}{%- endif -%}`,
		`{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' %}{{ content }}`,
		// Namespaces, loops, tools.
		`{%- set ns = namespace(multi_step=true, last=messages|length - 1) %}{%- for m in messages[::-1] %}{%- set index = (messages|length - 1) - loop.index0 %}{%- if ns.multi_step and m.role == "user" and not (m.content.startswith('<tool_response>') and m.content.endswith('</tool_response>')) %}{%- set ns.multi_step = false %}{%- set ns.last = index %}{%- endif %}{%- endfor %}`,
		`{%- for tool in tools %}{{- "\n" }}{{- tool | tojson(indent=4, ensure_ascii=False) }}{%- endfor %}`,
		`{%- if message.content is string %}{{ message.content }}{%- elif message.content is iterable and message.content is not mapping %}{% for c in message.content %}{% if 'text' in c %}{{ c.text }}{% elif c.type in ['image', 'image_url'] or c['type'] == 'video' %}<|image|>{% endif %}{% endfor %}{% endif %}`,
		`{%- set reasoning = content.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') %}{{ reasoning }}{{ content.split('</think>')|last }}`,
		`{%- if not date_string is defined %}{%- if strftime_now is defined %}{%- set date_string = strftime_now("%d %b %Y") %}{%- else %}{%- set date_string = "26 Jul 2024" %}{%- endif %}{%- endif %}`,
		`{%- macro json_to_python_type(s) %}{%- set types = {"string": "str", "number": "float"} %}{%- if types[s.type] is defined %}{{- types[s.type] }}{%- elif s.type == "array" %}{{- "list[" + json_to_python_type(s|items) + "]" }}{%- elif s.type is iterable and s.type is not string %}{%- for t in s.type %}{{- json_to_python_type({"type": t}) }}{{- " | " if not loop.last else "" }}{%- endfor %}{%- else %}Any{%- endif %}{%- endmacro %}`,
		`{%- for name, param in tool.parameters.properties|dictsort %}{{ name }}: {{ param.description|default('', true)|replace('\n', ' ') }}{%- for k in param if k not in ['type', 'description'] %}{{ k }}={{ param[k] }}{%- endfor %}{%- endfor %}`,
		`{{ '%s\n%s' | format(message.role, message.content) }}{{ "{}: {}".format(a, b) }}{{ 'a' ~ 1 ~ x }}{{ '=' * 80 }}`,
		`{% generation %}{{ message['content'] }}{% endgeneration %}{% if loop.last %}{% break %}{% endif %}{% continue %}`,
		`{%- set tool_calls = message.tool_calls|map(attribute='function')|list %}{{ messages|selectattr('role', 'equalto', 'user')|list|length }}{{ messages|rejectattr("role", "in", ["tool"])|first }}`,
		`{% for r in ['system', 'user'] %}{{ roles[r] }}{% endfor %}{% set key = 'content' if 'content' in m else 'text' %}{{ m[key] }}{{ {'user': 'U', 'assistant': 'A'}[m.role] }}`,
		`{% filter trim %}{% call(x) list(y) %}{{ x }}{% endcall %}{% endfilter %}{% set x | upper %}text{% endset %}`,
		`{{ joiner(', ')() }}{{ cycler('odd', 'even').next() }}{{ range(10)|list }}{{ loop.cycle('a', 'b') }}{{ lipsum(n=2) }}`,
		`{{ '__init__.py' in m.content }}{% if '__class__' in text %}{% endif %}{{ '__' ~ m.role ~ '__' }}{{ '<__media__>' }}`,
		`{{ obj.__doc__ }}{{ package.__version__ }}{{ x._private }}{{ config.get('a') }}{{ request.path }}{{ self.title() }}`,
		"{{ x }} 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f 你好 <｜User｜>",
		"{% if a %}\x00{% endif %}",
	} {
		if got, findings, err := worst(t, text); got > scan.Info || err != nil {
			t.Errorf("%v, %v: %s\n%+v", got, err, text, findings)
		}
	}
	for _, text := range []string{
		`{{ x.__class__.__name__ }}`, `{% extends "base.html" %}`, `{% from 'macros.jinja' import a as b, c with context %}`, `{{ m['__type__'] }}`,
	} {
		if got, findings, err := worst(t, text); got > scan.Low || err != nil {
			t.Errorf("%v, %v: %s\n%+v", got, err, text, findings)
		}
	}
}

// TestForeign: texts that merely contain braces are no templates.
func TestForeign(t *testing.T) {
	for name, text := range map[string]string{
		"LaTeX":         `\newcommand{\x}[1]{{#1}} $\frac{{a}}{{b}}_{{\rm max}}$ \cite{{a}` + "\n{% a comment",
		"Helm":          "{{- if .Values.x }}\nname: {{ .Release.Name | quote }}\n{{- end }}",
		"Handlebars":    "{{#each items}}{{this}}{{/each}}",
		"Vue":           `<p>{{ a ? b.__proto__ : c }}</p> {{ x => 1 }}`,
		"Go":            "var x = [][]T{{1, 2}, {3, 4}}\nfmt.Println(`{{`)",
		"Python":        `x = f"{{{self.__class__.__name__}}} {{ {a!r} }}"` + "\nd = {'a': {{}}}\n'{%s}' % x",
		"JSON":          `{"chat_template": "{% if x == \"a\" %}{{ '\\n' }}"}`,
		"Liquid":        "{% assign x = 'a' %}{{ x | append: 'b' }}",
		"brackets":      strings.Repeat("{{(", 5000),
		"no end":        "{{ x",
		"no name":       "{% %}",
		"no such thing": "{{ $x }}",
	} {
		r, err := scantest.Scan(New(), "x", []byte(text))
		if err == nil || len(r.Findings) > 0 {
			t.Errorf("%s: %v, %+v", name, err, r.Findings)
		}
	}
}

// TestLong: a template with a payload behind megabytes of comment and text is
// read, and so is one that the ends of the file do not show.
func TestLong(t *testing.T) {
	filler := strings.Repeat("ä text without a brace, ", 50_000)
	for _, text := range []string{
		filler + "{# " + filler + " #}{{ lipsum.__globals__ }}" + filler,
		"{{ '" + filler + "' }}{{ lipsum['" + "\\x5f\\x5fglobals__" + "'] }}" + filler,
		"{% raw %}" + filler + "{{ }}{% endraw %}{{ lipsum.__globals__ }}",
		"{{ x" + strings.Repeat(" ", 100_000) + "['__globals__'] }}",
		"{%- " + strings.Repeat(" ", 100_000) + "raw" + strings.Repeat("\n", 100_000) + "%}{{ {% endra {%" + strings.Repeat(" ", 100_000) + "endraw" + strings.Repeat("\t", 100_000) + "+%}{{ lipsum.__globals__ }}",
		"{% macro m(" + strings.Repeat("a, ", 1000) + "b) %}{% endmacro %}{{ lipsum.__globals__ }}",
		"{% set x " + strings.Repeat("| upper ", 200) + "%}{% endset %}{{ lipsum.__globals__ }}",
		"{% set " + strings.Repeat("a, ", 1000) + "b = y %}{{ lipsum.__globals__ }}",
		strings.Repeat("{% set x %}{% macro m() %}", 1000) + "{{ lipsum.__globals__ }}",
		"{{ " + strings.Repeat("x.a ~ ", 30_000) + "lipsum.__globals__ }}",
		"{{ [" + strings.Repeat("x.a + 1, ", 30_000) + "lipsum.__globals__] }}",
		"{{ " + strings.Repeat("x == ", 30_000) + "lipsum.__globals__ }}",
		"{{ f(" + strings.Repeat("x(1)|upper, ", 30_000) + "lipsum.__globals__) }}",
		strings.Repeat("{% set a = 'x' %}", 30_000) + "{{ lipsum['__glo' ~ 'bals__'] }}",
	} {
		if got, findings, err := worst(t, text); got != scan.SeverityMalicious || err != nil {
			t.Errorf("%v, %v: %.80q\n%+v", got, err, text, findings)
		}
	}
}

// TestFlood: many small findings do not push out the bad one.
func TestFlood(t *testing.T) {
	var b strings.Builder
	for i := range 500 {
		fmt.Fprintf(&b, "{{ x.__dict__ }}{%% include 'a%d' %%}", i)
	}
	b.WriteString("{{ lipsum.__globals__ }}")
	if got, _, err := worst(t, b.String()); got != scan.SeverityMalicious || err != nil {
		t.Errorf("%v, %v", got, err)
	}
}

// TestHostile: texts that repeat what costs most come to an end, and nothing
// grows with them but the time to read them.
func TestHostile(t *testing.T) {
	const size = 128 << 10
	for name, c := range map[string][3]string{
		"variable appended to": {"", "{% set a = a ~ 'x' %}", ""},
		"many variables":       {"", "{% set v = ['a', 'b'] + v %}{% set w = {'x': v} %}", ""},
		"concatenation":        {"{{ ", "'abc' ~ ", "x }}"},
		"list":                 {"{% set a = [", "'a', ", "] %}{% for i in a %}{{ x[i] }}{% endfor %}"},
		"attributes":           {"{{ x", ".a", " }}"},
		"filters":              {"{{ 'x'", "|upper", " }}"},
		"not":                  {"{{ ", "not ", "x }}"},
		"brackets":             {"{{ ", "(", " }}"},
		"calls in calls":       {"{% set a = ['x', 'y'] %}{{ ", strings.Repeat("f(a + a, a + a, ", 200) + "1" + strings.Repeat(")", 200) + " ~ ", "1 }}"},
		"lists in lists":       {"{% set a = [1, 2, 3, 4] %}", "{% set a = [a, a, a, a, a, a] %}", "{{ a|join }}"},
		"captures":             {"", "{% set a %}x{{ a }}{% endset %}", ""},
		"open captures":        {"", "{% macro m(a) %}{{ m(a) }}", ""},
		"formats":              {"{{ '" + strings.Repeat("{}", 90) + "'.format(", "a, ", ") }}"},
		"comments":             {"", "{#", ""},
		"broken":               {"", "{{ ( }}", ""},
		"raw":                  {"", "{%          ", ""},
		"walks":                {"", "{{ ().__class__.__base__ }}", ""},
	} {
		r, err := scantest.Scan(New(), "x", []byte(c[0]+strings.Repeat(c[1], size/len(c[1]))+c[2]))
		scantest.Classified(t, err)
		if len(r.Findings) > 4*maxFindings {
			t.Errorf("%s: %d findings", name, len(r.Findings))
		}
	}
}

func TestMatch(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	for _, c := range []struct {
		name, text string
		want       bool
	}{
		{"expression", "a {{ b }}", true},
		{"statement", "{% if %}", true},
		{"braces only", "a {b} {c}", false},
		{"empty", "", false},
		{"binary", "\x80\x02{{ x }}\xff", false},
		{"long text", long, true},
		{"text cut in a character", long[:4095] + "ä" + long, true},
		{"text before binary", long + "\xff\xfe", false},
	} {
		if got := New().Match(scantest.Probe("chat_template.jinja", []byte(c.text))); got != c.want {
			t.Errorf("%s: Match = %v", c.name, got)
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, text := range []string{
		"{% for m in messages %}{{ m['role'] ~ \"\\x5f\\N{LOW LINE}\" }}{% endfor %}",
		"{%- set ns.x = a[1:-1][::2]|join(', ') if b is not none else {'a': (1,)} -%}",
		"{% macro m(a, b=1) %}{{ a(*b, **c, d=1) }}{% endmacro %}{% raw %}{{{% endraw %}{# #}",
		"{{ '%s%c' % ('a', 95) ~ '{0.a}'.format(x) }}{% set x %}y{% endset %}",
		"{{ x is divisibleby 3 and not y in z.1.2 or - 1 ** 2 // 3 }}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) { scantest.Fuzz(t, New(), data) })
}
