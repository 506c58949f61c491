// Writes ranges.json: which versions node-semver admits in which ranges, read as npm reads them (loose).
// node tests/corpus/npm/ranges.cjs /usr/lib/node_modules/npm/node_modules/semver >tests/corpus/npm/ranges.json
const path = require('node:path')
const semver = require(path.resolve(process.argv[2]))

const versions = `0.0.0-0 0.0.0 0.0.1-alpha 0.0.1 0.0.2 0.0.3-beta 0.0.3 0.0.4 0.1.0-rc.1 0.1.0 0.1.2 0.1.20 0.2.0 0.2.3 0.3.0
0.9.9 1.0.0-0 1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.0.0+build.5
1.0.1-beta 1.0.1 1.1.0 1.2.0-pre 1.2.0 1.2.2 1.2.3-alpha 1.2.3-beta 1.2.3-beta.1 1.2.3-beta.2 1.2.3-beta.10 1.2.3-rc 1.2.3
1.2.3+build 1.2.4-beta.1 1.2.4 1.2.10 1.3.0-0 1.3.0-beta 1.3.0 1.9.9 1.10.0 1.999.999 2.0.0-0 2.0.0-alpha 2.0.0-rc.1 2.0.0 2.0.1
2.3.4 2.4.0 2.9.9 3.0.0-beta.1 3.0.0 3.1.4 3.9.9 4.0.0-pre 4.0.0 4.17.1 4.17.21 5.0.0 10.0.0 20.19.0 2.0.0alpha 1.2.3alpha1
01.2.3 v1.2.3 =1.2.3 1.2.3--1 1.2.3-1.01 1.2 latest 1.2.3.4`.split(/\s+/)

const bounds = ['1', '1.2', '1.2.3', '0', '0.0', '0.0.3', '0.1', '0.1.2', '1.x', '1.2.x', '1.X.x', 'x', '*', '1.*', '1.2.3-beta',
  '1.2.3-beta.1', '2.0.0-0', '0.0.0', '0.0.1-alpha', 'v1.2.3', '1.2.3+build', '1.2.3alpha1', '01.2.3', '1.x.3', 'x.1']
const operators = ['', '=', '>', '>=', '<', '<=', '^', '~', '~>', '^ ', '~ ', '>= ', '= ', '< ', '=v', '>=v', '^v', '~>=']
const others = `|||*|latest|beta|not a range|^1.2.3 foo|1.2.3 || latest|^1 || ^2 || ^3|>=1 <2 || 3|>=1.2.3 <2.0.0|>= 1.2.3 < 2.0.0|>1.2.3 <=2.3.4
1.2.3 - 2.3.4|1.2.3 - 2.3|1.2.3 - 2|1.2 - 2.3.4|1 - 2|1.2.3-beta - 1.2.3|1.2.3-beta.2 - 2.0.0-rc.1|0 - x|x - 2.0.0| 1.2.3  -  2.3.4 |v1.2.3 - v2.0.0
1.2.3-2.0.0|1.2.3 -2.0.0|* || 1.2.3-beta|>=0.0.0 || 1.2.3-beta|>=0 1.2.3-beta|^1.2.3-beta.2 || ^1.3|^1.2.3-beta.2 <1.2.4|>=1.2.3-beta <2.0.0-rc.2
^0.14.0 || ^1.0.0|^4.17.1|~4.17.1|4|>=4 <5|<0.0.0|<0.0.0-0|>x || 1.2.3|<x|>*|>=*|<=*|^*|~*|^x|~x|1.2.3 ||| 2|1.2.3||2.0.0| ||1.2.3|1 ||
>=1.2.3,<2|>=1.2.3, <2.0.0|>1 <1|^1 ^2|^1.2 ~1.2.3|~1.2.3 >1.2.3|>=2.0.0-alpha <2.0.0|>1.0.0-alpha.1 <1.0.0-rc.1|1.0.0-alpha.beta|<=1.0.0-beta.11
=1.0.0+build.5|1.0.0+a || 2.0.0+b.c|^1.0.0+x|>=10|>=20.19.0 || ^4|<=1.x|>1.x|>=1.2.x|<1.2.x|^1.2.x|~1.2.x|~1.x|1.2.3.4|^1.2.3.4|1.2.3 1.2.3|!1.2.3|!=1.2.3
^|~|>|<|=|>=|v|- |1.|1..2|.1|1.2.|^1.-2|~0.0.1|^0.0|^0.0.x|^0.x|~0|~0.0|99999999999999999999|npm:foo@1|file:../x|git+https://x.example/y.git
user/repo|http://x.example/y.tgz|workspace:*|1.2.3-|1.2.3-.|1.2.3-a..b|1.2.3_1|1,2|^1.2.3, ^2|>=1.2.3 || <0.0.2 >0.0.1-alpha|=>1.2|><1|>=<1|<>1|==1.2.3|>==1.2
  >=  1.2.3   <   2  |\t^1.2.3\n|^1.2.3 -|1 2|1.2 1.3|1 - 2 - 3|1 - 2 3|>1 - 2`.split('\n').flatMap(line => line.split('|'))
const joined = ['', '||', '1||2', '1.2.3 || 2.0.0', '>=1 <2 || 3', '^1 || ^2 || ^3', '|| 1.2.3', '1 ||', '1.2.3 ||| 2', '* || 1.2.3-beta',
  '>=0.0.0 || 1.2.3-beta', '^1.2.3-beta.2 || ^1.3', '^0.14.0 || ^1.0.0', '>x || 1.2.3', '1.2.3 || latest', '1.0.0+a || 2.0.0+b.c',
  '>=20.19.0 || ^4', '>=1.2.3 || <0.0.2 >0.0.1-alpha', '1.2.3-beta || >=2.0.0-alpha <2.0.0']

const ranges = [...new Set([...operators.flatMap(o => bounds.map(b => o + b)), ...others, ...joined])]
const lines = ranges.map(range => {
  const valid = semver.validRange(range, { loose: true }) !== null
  const admitted = valid ? versions.filter(one => semver.satisfies(one, range, { loose: true })) : null
  return `  ${JSON.stringify(range)}: ${admitted ? JSON.stringify(admitted.map(one => versions.indexOf(one))).replace(/,/g, ', ') : 'null'}`
})
console.log(`{"versions": ${JSON.stringify(versions).replace(/,/g, ', ')},\n"ranges": {\n${lines.join(',\n')}\n}}`)
