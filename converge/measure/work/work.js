// Node.js: an object with ten thousand keys, JSON there and back, a regular expression, a sort.
const table = {};
for (let i = 0; i < 2500000; i++) {
  const key = "k" + ((i * 7919) % 10007);
  table[key] = (table[key] || 0) + (i % 7);
}
const text = JSON.stringify(table);
let keys = 0;
for (let i = 0; i < 40; i++) keys += Object.keys(JSON.parse(text)).length;
const numbers = Array.from({ length: 400000 }, (_, i) => (i * 7919) % 400009);
numbers.sort((a, b) => a - b);
console.log(keys, (text.match(/[1-9]+7/g) || []).length, numbers[1000]);
