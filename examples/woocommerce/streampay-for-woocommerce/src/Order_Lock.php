<?php
/**
 * One process at a time works on an order: webhooks, the return page, refunds and timed checks meet here.
 *
 * @package StreamPay\WooCommerce
 */

declare(strict_types=1);

namespace StreamPay\WooCommerce;

/**
 * A named lock of MySQL or MariaDB, which ends with its connection: a process that dies leaves nothing locked.
 *
 * A database without such locks (SQLite) answers neither 1 nor 0; a locked file of this machine does its work then.
 * Where neither can be had, nothing is done to an order, and the gateway is told to come again.
 */
final class Order_Lock {

	public const WAIT_S    = 10; // The gateway waits 20 s for an answer.
	private const PAUSE_US = 20_000;

	/** @var array<int, true> Orders that this process holds: work inside of work need not wait for itself. */
	private static array $held = array();

	/**
	 * Do some work while nobody else works on the order.
	 *
	 * @template Result
	 * @param int                $order_id The order.
	 * @param callable(): Result $work     What to do.
	 * @return Result
	 * @throws Busy_Error Somebody else has been at it for too long, or there is no lock to be had.
	 */
	public static function hold( int $order_id, callable $work ): mixed {
		if ( isset( self::$held[ $order_id ] ) ) {
			return $work();
		}
		$name = self::name( $order_id );
		$file = self::take( $name );
		self::$held[ $order_id ] = true;
		try {
			return $work();
		} finally {
			unset( self::$held[ $order_id ] );
			self::release( $name, $file );
		}
	}

	/** Return what locks here: `database` or `file`. */
	public static function kind(): string {
		global $wpdb;
		$name = self::name( 0 );
		$got  = (string) $wpdb->get_var( $wpdb->prepare( 'SELECT GET_LOCK(%s, %d)', $name, 0 ) );
		if ( '1' === $got ) {
			$wpdb->get_var( $wpdb->prepare( 'SELECT RELEASE_LOCK(%s)', $name ) );
		}
		return '1' === $got || '0' === $got ? 'database' : 'file';
	}

	/** @return resource|null The locked file, or null when the database locks. */
	private static function take( string $name ): mixed {
		global $wpdb;
		$got = (string) $wpdb->get_var( $wpdb->prepare( 'SELECT GET_LOCK(%s, %d)', $name, self::WAIT_S ) );
		if ( '1' === $got ) {
			return null;
		}
		if ( '0' === $got ) {
			throw new Busy_Error( 'order_busy' );
		}
		$file = fopen( get_temp_dir() . $name . '.lock', 'c' );
		if ( false === $file ) {
			throw new Busy_Error( 'no_lock' );
		}
		$deadline = microtime( true ) + self::WAIT_S;
		while ( ! flock( $file, LOCK_EX | LOCK_NB ) ) {
			if ( microtime( true ) > $deadline ) {
				fclose( $file );
				throw new Busy_Error( 'order_busy' );
			}
			usleep( self::PAUSE_US );
		}
		return $file;
	}

	/** @param resource|null $file As `take` returned it. */
	private static function release( string $name, mixed $file ): void {
		global $wpdb;
		if ( null === $file ) {
			$wpdb->get_var( $wpdb->prepare( 'SELECT RELEASE_LOCK(%s)', $name ) );
			return;
		}
		flock( $file, LOCK_UN );
		fclose( $file );
	}

	/** Return a name of at most 64 characters; locks are shared by all sites of a database server. */
	private static function name( int $order_id ): string {
		global $wpdb;
		return 'streampay_' . substr( hash( 'sha256', DB_NAME . '|' . $wpdb->prefix ), 0, 24 ) . '_' . $order_id;
	}
}
