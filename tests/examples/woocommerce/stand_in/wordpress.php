<?php
/**
 * A stand-in of the WordPress functions that the plugin calls: hooks, options, escaping, HTTP, named locks.
 *
 * State lives in one SQLite file, so that several processes meet in it as requests of a site meet in its database.
 */

declare(strict_types=1);

const ABSPATH          = __DIR__ . '/';
const DB_NAME          = 'shop';
const DAY_IN_SECONDS   = 86400;
const HOUR_IN_SECONDS  = 3600;

/** Return the site's database. */
function stand_in_db(): PDO {
	static $db = null;
	if ( null === $db ) {
		$db = new PDO( 'sqlite:' . getenv( 'STAND_IN_DATABASE' ) );
		$db->setAttribute( PDO::ATTR_ERRMODE, PDO::ERRMODE_EXCEPTION );
		$db->exec( 'PRAGMA busy_timeout = 20000; PRAGMA synchronous = OFF' );
	}
	return $db;
}

/** Run a statement. */
function stand_in_sql( string $sql, array $values = array() ): array {
	$statement = stand_in_db()->prepare( $sql );
	$statement->execute( $values );
	return $statement->fetchAll( PDO::FETCH_ASSOC );
}

/** Write down that something happened: a mail, a hook, a change of stock. */
function stand_in_log( string $kind, int $order_id, string $what = '' ): void {
	stand_in_sql( 'INSERT INTO happened (kind, order_id, what) VALUES (?, ?, ?)', array( $kind, $order_id, $what ) );
}

// --- hooks -----------------------------------------------------------------------------------------------------------

$GLOBALS['stand_in_hooks'] = array();

function add_filter( string $name, callable $work, int $priority = 10, int $arguments = 1 ): bool {
	$GLOBALS['stand_in_hooks'][ $name ][ $priority ][] = array( $work, $arguments );
	return true;
}

function add_action( string $name, callable $work, int $priority = 10, int $arguments = 1 ): bool {
	return add_filter( $name, $work, $priority, $arguments );
}

function remove_action( string $name, callable $work, int $priority = 10 ): bool {
	$kept = array_filter( $GLOBALS['stand_in_hooks'][ $name ][ $priority ] ?? array(), static fn( array $one ): bool => $one[0] !== $work );
	$GLOBALS['stand_in_hooks'][ $name ][ $priority ] = array_values( $kept );
	return true;
}

function apply_filters( string $name, mixed $value, mixed ...$more ): mixed {
	$hooks = $GLOBALS['stand_in_hooks'][ $name ] ?? array();
	ksort( $hooks );
	foreach ( $hooks as $each ) {
		foreach ( $each as [ $work, $arguments ] ) {
			$value = $work( ...array_slice( array( $value, ...$more ), 0, $arguments ) );
		}
	}
	return $value;
}

function do_action( string $name, mixed ...$values ): void {
	$hooks = $GLOBALS['stand_in_hooks'][ $name ] ?? array();
	ksort( $hooks );
	foreach ( $hooks as $each ) {
		foreach ( $each as [ $work, $arguments ] ) {
			$work( ...array_slice( $values, 0, $arguments ) );
		}
	}
}

function register_deactivation_hook( string $file, callable $work ): void {}

// --- options and caches ----------------------------------------------------------------------------------------------

$GLOBALS['stand_in_options'] = array();

function get_option( string $name, mixed $otherwise = false ): mixed {
	if ( ! array_key_exists( $name, $GLOBALS['stand_in_options'] ) ) { // As in WordPress, a process reads an option once.
		$rows = stand_in_sql( 'SELECT value FROM options WHERE name = ?', array( $name ) );
		$GLOBALS['stand_in_options'][ $name ] = $rows ? unserialize( $rows[0]['value'] ) : null;
	}
	return $GLOBALS['stand_in_options'][ $name ] ?? $otherwise;
}

function update_option( string $name, mixed $value, mixed $autoload = null ): bool {
	stand_in_sql( 'INSERT INTO options VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value', array( $name, serialize( $value ) ) );
	$GLOBALS['stand_in_options'][ $name ] = $value;
	return true;
}

function delete_option( string $name ): bool {
	stand_in_sql( 'DELETE FROM options WHERE name = ?', array( $name ) );
	unset( $GLOBALS['stand_in_options'][ $name ] );
	return true;
}

function wp_cache_delete( string $key, string $group = '' ): bool {
	unset( $GLOBALS['stand_in_options'][ $key ] );
	return true;
}

function clean_post_cache( int $id ): void {}

// --- where, who ------------------------------------------------------------------------------------------------------

function home_url( string $path = '' ): string {
	return rtrim( (string) get_option( 'home' ), '/' ) . $path;
}

function admin_url( string $path = '' ): string {
	return home_url( '/wp-admin/' . $path );
}

function plugins_url( string $path, string $file ): string {
	return home_url( '/wp-content/plugins/streampay-for-woocommerce/' . $path );
}

function plugin_basename( string $file ): string {
	return 'streampay-for-woocommerce/' . basename( $file );
}

function add_query_arg( string $name, string $value, string $url ): string {
	return $url . ( str_contains( $url, '?' ) ? '&' : '?' ) . rawurlencode( $name ) . '=' . rawurlencode( $value );
}

function get_current_blog_id(): int {
	return 1;
}

function get_locale(): string {
	return 'de_DE';
}

function get_temp_dir(): string {
	return getenv( 'STAND_IN_TEMP' ) . '/';
}

function current_user_can( string $capability ): bool {
	return 'yes' === getenv( 'STAND_IN_ADMIN' ) || 'yes' === ( $_SERVER['HTTP_X_TEST_ADMIN'] ?? '' );
}

function wp_create_nonce( string $action ): string {
	return substr( hash( 'sha256', "nonce-$action" ), 0, 10 );
}

function check_ajax_referer( string $action ): void {
	if ( ! hash_equals( wp_create_nonce( $action ), (string) ( $_REQUEST['_ajax_nonce'] ?? '' ) ) ) {
		http_response_code( 403 );
		echo '-1';
		exit;
	}
}

function wp_send_json_success( mixed $data ): void {
	echo json_encode( array( 'success' => true, 'data' => $data ) );
	exit;
}

function wp_send_json_error( mixed $data, int $status = 200 ): void {
	http_response_code( $status );
	echo json_encode( array( 'success' => false, 'data' => $data ) );
	exit;
}

function wp_generate_uuid4(): string {
	return bin2hex( random_bytes( 16 ) );
}

function get_query_var( string $name ): mixed {
	return $GLOBALS['stand_in_query'][ $name ] ?? '';
}

function wp_register_script( string $handle, string $url, array $needs = array(), string $version = '', bool $at_end = false ): bool {
	$GLOBALS['stand_in_scripts'][ $handle ] = array( 'url' => $url, 'needs' => $needs );
	return true;
}

function wp_enqueue_script( string $handle, string $url, array $needs = array(), string $version = '', bool $at_end = false ): void {
	wp_register_script( $handle, $url, $needs );
}

// --- text ------------------------------------------------------------------------------------------------------------

function __( string $text, string $domain = '' ): string {
	return $text;
}

function esc_html( string $text ): string {
	return htmlspecialchars( $text, ENT_QUOTES );
}

function esc_attr( string $text ): string {
	return htmlspecialchars( $text, ENT_QUOTES );
}

function esc_html__( string $text, string $domain = '' ): string {
	return esc_html( $text );
}

function esc_url( string $url ): string {
	return htmlspecialchars( $url, ENT_QUOTES );
}

function esc_url_raw( string $url ): string {
	return preg_match( '#\Ahttps?://#', $url ) ? $url : '';
}

function wp_strip_all_tags( string $text ): string {
	return trim( strip_tags( $text ) );
}

function wp_unslash( string $text ): string {
	return stripslashes( $text );
}

function sanitize_text_field( string $text ): string {
	return trim( strip_tags( $text ) );
}

function sanitize_key( string $text ): string {
	return preg_replace( '/[^a-z0-9_-]/', '', strtolower( $text ) );
}

function absint( mixed $value ): int {
	return abs( (int) $value );
}

function is_email( string $text ): string|false {
	return filter_var( $text, FILTER_VALIDATE_EMAIL ) ? $text : false;
}

function wp_json_encode( mixed $value ): string|false {
	return json_encode( $value );
}

function wp_parse_url( string $url, int $part = -1 ): mixed {
	return parse_url( $url, $part );
}

// --- HTTP ------------------------------------------------------------------------------------------------------------

final class WP_Error {
	public function __construct( private string $code = '', private string $message = '' ) {}

	public function get_error_code(): string {
		return $this->code;
	}

	public function get_error_message(): string {
		return $this->message;
	}
}

function is_wp_error( mixed $value ): bool {
	return $value instanceof WP_Error;
}

function wp_remote_request( string $url, array $options ): array|WP_Error {
	$headers = array();
	$lines   = array( 'Expect:' );
	foreach ( $options['headers'] as $name => $value ) {
		$lines[] = "$name: $value";
	}
	$call = curl_init( $url );
	curl_setopt_array(
		$call,
		array(
			CURLOPT_CUSTOMREQUEST  => $options['method'],
			CURLOPT_HTTPHEADER     => $lines,
			CURLOPT_RETURNTRANSFER => true,
			CURLOPT_TIMEOUT_MS     => (int) ( 1000 * $options['timeout'] ),
			CURLOPT_USERAGENT      => $options['user-agent'],
			CURLOPT_HEADERFUNCTION => static function ( $call, string $line ) use ( &$headers ): int {
				$parts = explode( ':', $line, 2 );
				if ( 2 === count( $parts ) ) {
					$headers[ strtolower( trim( $parts[0] ) ) ] = trim( $parts[1] );
				}
				return strlen( $line );
			},
		)
	);
	if ( null !== $options['body'] ) {
		curl_setopt( $call, CURLOPT_POSTFIELDS, $options['body'] );
	}
	$body = curl_exec( $call );
	return is_string( $body )
		? array( 'response' => array( 'code' => curl_getinfo( $call, CURLINFO_RESPONSE_CODE ) ), 'headers' => $headers, 'body' => $body )
		: new WP_Error( 'http_request_failed', curl_error( $call ) );
}

function wp_remote_retrieve_response_code( array $response ): int {
	return $response['response']['code'];
}

function wp_remote_retrieve_body( array $response ): string {
	return $response['body'];
}

function wp_remote_retrieve_header( array $response, string $name ): string {
	return $response['headers'][ $name ] ?? '';
}

function status_header( int $status ): void {
	http_response_code( $status );
}

function nocache_headers(): void {
	header( 'Cache-Control: no-store' );
}

// --- the database's named locks --------------------------------------------------------------------------------------

/** Locks as MySQL has them, or as a database that has none answers: STAND_IN_LOCKS is mysql, sqlite or a lie. */
final class Stand_In_Wpdb {
	public string $prefix = 'wp_';
	private array $held = array();

	public function prepare( string $sql, mixed ...$values ): array {
		return array( $sql, $values );
	}

	public function get_var( array $prepared ): ?string {
		[ $sql, $values ] = $prepared;
		$kind = getenv( 'STAND_IN_LOCKS' ) ?: 'mysql';
		if ( 'mysql' !== $kind ) {
			return 'lie' === $kind ? '1' : '1=1';
		}
		return str_contains( $sql, 'GET_LOCK' ) && ! str_contains( $sql, 'RELEASE' ) ? $this->take( ...$values ) : $this->release( ...$values );
	}

	private function take( string $name, int $wait_s ): string {
		$file  = fopen( getenv( 'STAND_IN_TEMP' ) . "/mysql-$name", 'c' );
		$until = microtime( true ) + (float) ( getenv( 'STAND_IN_WAIT_S' ) ?: $wait_s );
		while ( ! flock( $file, LOCK_EX | LOCK_NB ) ) {
			if ( microtime( true ) > $until ) {
				return '0';
			}
			usleep( 2000 );
		}
		$this->held[ $name ] = $file;
		return '1';
	}

	private function release( string $name ): string {
		flock( $this->held[ $name ], LOCK_UN );
		unset( $this->held[ $name ] );
		return '1';
	}
}

$GLOBALS['wpdb'] = new Stand_In_Wpdb();
