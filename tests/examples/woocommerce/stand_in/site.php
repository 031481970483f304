<?php
/**
 * Starts the site in this process: WordPress, WooCommerce, the plugin, and the hooks that a request runs.
 */

declare(strict_types=1);

require __DIR__ . '/wordpress.php';
require __DIR__ . '/woocommerce.php';
require getenv( 'STAND_IN_PLUGIN' ) . '/streampay-for-woocommerce.php';

stand_in_db()->exec(
	'PRAGMA journal_mode = WAL;
	CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY AUTOINCREMENT, parent INTEGER, type TEXT, status TEXT, created INTEGER, fields TEXT);
	CREATE TABLE IF NOT EXISTS meta (order_id INTEGER, key TEXT, value TEXT);
	CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, order_id INTEGER, note TEXT);
	CREATE TABLE IF NOT EXISTS happened (id INTEGER PRIMARY KEY, kind TEXT, order_id INTEGER, what TEXT);
	CREATE TABLE IF NOT EXISTS options (name TEXT PRIMARY KEY, value TEXT);'
);

do_action( 'before_woocommerce_init' );
do_action( 'init' );
