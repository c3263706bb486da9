// SPDX-License-Identifier: ISC
// What a Node service does with PostgreSQL, through Sekisho: pool, prepare, transaction, notify, errors.
'use strict';
const assert = require('assert');
const fs = require('fs');
const { Client, Pool } = require('pg');

async function main() {
  const [port, password, authority] = process.argv.slice(2);
  const settings = {
    host: '127.0.0.1', port: Number(port), user: 'app', password, database: 'app', application_name: 'node',
    ssl: { ca: fs.readFileSync(authority), servername: 'acme.db.test' },
  };
  const pool = new Pool({ ...settings, max: 5 });
  const answers = await Promise.all(Array.from({ length: 50 }, (_, n) =>
    pool.query({ name: 'plus', text: 'SELECT $1::int + 1 AS n, (SELECT min(name) FROM who) AS who', values: [n] })));
  answers.forEach((answer, n) => assert.deepStrictEqual(answer.rows[0], { n: n + 1, who: 'acme' }));
  await pool.end();

  const client = new Client(settings);
  await client.connect();
  const pid = (await client.query('SELECT pg_backend_pid() AS pid')).rows[0].pid;
  assert.strictEqual(client.processID, pid);
  const noted = new Promise((resolve) => client.on('notification', resolve));
  await client.query('LISTEN road');
  await client.query("NOTIFY road, 'hello'");
  const note = await noted;
  assert.deepStrictEqual([note.payload, note.processId], ['hello', pid]);
  await client.query('BEGIN');
  await assert.rejects(client.query('SELECT 1 / 0'), { code: '22012' });
  await client.query('ROLLBACK');
  await client.end();

  const wrong = new Client({ ...settings, password: 'guess' });
  await assert.rejects(wrong.connect(), { code: '28P01' });
  console.log('good');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
