<?php
/**
 * Does to the shop what a test asks: reads a JSON list of [command, arguments…], prints the list of what they returned.
 */

declare(strict_types=1);

use Automattic\WooCommerce\Blocks\Payments\PaymentMethodRegistry;
use Automattic\WooCommerce\Utilities\FeaturesUtil;
use StreamPay\WooCommerce\Amount;
use StreamPay\WooCommerce\Api;
use StreamPay\WooCommerce\Gateway;
use StreamPay\WooCommerce\Order_Lock;
use StreamPay\WooCommerce\Reconciler;
use StreamPay\WooCommerce\Reference;
use StreamPay\WooCommerce\Self_Test;
use StreamPay\WooCommerce\Settings;
use StreamPay\WooCommerce\Signature;
use StreamPay\WooCommerce\Signature_Error;
use StreamPay\WooCommerce\Webhook;

require __DIR__ . '/stand_in/site.php';

/** The commands, each a function. */
final class Shop {

	/** Set options. */
	public static function options( array $options ): void {
		foreach ( $options as $name => $value ) {
			update_option( $name, $value );
		}
	}

	/** Place an order and return its id. */
	public static function order( array $fields ): int {
		$order = new WC_Order();
		foreach ( $fields + array( 'total' => '12.30', 'currency' => 'USD', 'payment_method' => 'streampay', 'key' => 'wc_order_' . bin2hex( random_bytes( 6 ) ), 'email' => 'ada@example.com', 'country' => 'DE' ) as $name => $value ) {
			$order->set_field( $name, $value );
		}
		return $order->save();
	}

	/** Change an order's fields, as its edit page does. */
	public static function edit( int $id, array $fields ): void {
		$order = wc_get_order( $id );
		foreach ( $fields as $name => $value ) {
			$order->set_field( $name, $value );
		}
		$order->save();
	}

	/** Keep values on an order, as the plugin would. */
	public static function meta( int $id, array $values ): void {
		$order = wc_get_order( $id );
		foreach ( $values as $name => $value ) {
			$order->update_meta_data( $name, $value );
		}
		$order->save();
	}

	/** Place an order whose page is open at the gateway; return its id and reference. */
	public static function opened( array $fields, array $facts ): array {
		$id = self::order( $fields );
		self::meta( $id, $facts + array( '_streampay_reference' => Reference::of( $id ) ) );
		return array( $id, Reference::of( $id ) );
	}

	/** Return the reference of an order. */
	public static function reference( int $id ): string {
		return Reference::of( $id );
	}

	/** Place the order with our method; return what WooCommerce gets, and the notices. */
	public static function pay( int $id ): array {
		$answer = self::gateway()->process_payment( $id );
		return $answer + array( 'notices' => $GLOBALS['stand_in_notices'] ?? array() );
	}

	/** Press Refund; null when it worked, else why not. */
	public static function refund( int $id, string $amount ): ?string {
		$made = wc_create_refund( array( 'order_id' => $id, 'amount' => $amount, 'reason' => 'Too small', 'refund_payment' => true ) );
		return is_wp_error( $made ) ? $made->get_error_code() . ': ' . $made->get_error_message() : null;
	}

	/** Press Refund manually: no money moves. */
	public static function refund_by_hand( int $id, string $amount ): void {
		wc_create_refund( array( 'order_id' => $id, 'amount' => $amount ) );
	}

	/** Call the gateway's method as other plugins do. */
	public static function process_refund( int $id, ?string $amount ): mixed {
		$result = self::gateway()->process_refund( $id, $amount, '' );
		return is_wp_error( $result ) ? $result->get_error_code() : $result;
	}

	/** Set an order's status by hand. */
	public static function move( int $id, string $status ): void {
		wc_get_order( $id )->update_status( $status, 'By hand.' );
	}

	/** Return everything that there is to know about an order. */
	public static function state( int $id ): array {
		unset( $GLOBALS['stand_in_order_cache'] );
		$order   = wc_get_order( $id );
		$meta    = array();
		foreach ( stand_in_sql( 'SELECT key, value FROM meta WHERE order_id = ?', array( $id ) ) as $row ) {
			$meta[ $row['key'] ] = unserialize( $row['value'] );
		}
		$refunds = array();
		foreach ( stand_in_sql( 'SELECT id FROM orders WHERE parent = ? ORDER BY id', array( $id ) ) as $row ) {
			$refund    = new WC_Order_Refund( (int) $row['id'] );
			$refunds[] = array( $refund->get_amount(), $refund->get_meta( '_streampay_refund' ) );
		}
		return array(
			'status'      => $order->get_status(),
			'transaction' => $order->get_transaction_id(),
			'url'         => self::gateway()->get_transaction_url( $order ),
			'refundable'  => self::gateway()->can_refund_order( $order ),
			'meta'        => $meta,
			'refunds'     => $refunds,
			'notes'       => array_column( stand_in_sql( 'SELECT note FROM notes WHERE order_id = ? ORDER BY id', array( $id ) ), 'note' ),
			'happened'    => array_map( static fn( array $row ): string => trim( $row['kind'] . ' ' . $row['what'] ), stand_in_sql( 'SELECT kind, what FROM happened WHERE order_id = ? ORDER BY id', array( $id ) ) ),
		);
	}

	/** Return the log. */
	public static function log(): array {
		return array_map( static fn( array $row ): string => $row['kind'] . ' ' . $row['what'], stand_in_sql( 'SELECT kind, what FROM happened WHERE order_id = 0 ORDER BY id' ) );
	}

	/** Take an event; return status and word. */
	public static function deliver( string $body, array $headers ): array {
		unset( $GLOBALS['stand_in_order_cache'] );
		return ( new Webhook( Settings::load() ) )->answer( $body, $headers, time() );
	}

	/** Verify each case; return `ok` or the word of the refusal. */
	public static function verify( array $cases ): array {
		return array_map(
			static function ( array $case ): string {
				try {
					$body = base64_decode( $case['body'] );
					( new Signature( $case['secrets'] ) )->verify( $body, $case['headers'], $case['now'] );
					return 'ok';
				} catch ( Signature_Error $error ) {
					return $error->getMessage();
				}
			},
			$cases
		);
	}

	/** Write amounts down; null for what is none. */
	public static function plain( array $values ): array {
		return array_map(
			static function ( mixed $value ): ?string {
				try {
					return Amount::plain( $value );
				} catch ( InvalidArgumentException ) {
					return null;
				}
			},
			$values
		);
	}

	/** Add amounts up. */
	public static function adds_up( array $parts, string $total ): bool {
		return Amount::adds_up( $parts, $total );
	}

	/** Let WooCommerce's timer look at an unpaid order. */
	public static function cancel_unpaid( int $id ): bool {
		return stand_in_cancel_unpaid( wc_get_order( $id ) );
	}

	/** Let the hour strike. */
	public static function hour(): void {
		do_action( Reconciler::HOOK );
	}

	/** Hold an order's lock while the test does something else. */
	public static function hold( int $id, string $flag, int $for_ms ): string {
		return Order_Lock::hold(
			$id,
			static function () use ( $flag, $for_ms ): string {
				touch( $flag );
				usleep( 1000 * $for_ms );
				return 'held';
			}
		);
	}

	/** Die in the middle of work under the lock. */
	public static function die_holding( int $id ): void {
		Order_Lock::hold( $id, static fn() => posix_kill( getmypid(), SIGKILL ) );
	}

	/** Run the self-test. */
	public static function self_test(): array {
		$settings = Settings::load();
		return ( new Self_Test( $settings, Api::from( $settings ) ) )->run();
	}

	/** Return how the method presents itself. */
	public static function presented(): array {
		$gateway  = self::gateway();
		$registry = new PaymentMethodRegistry();
		do_action( 'woocommerce_blocks_payment_method_type_registration', $registry );
		$block = $registry->registered['streampay'];
		return array(
			'id'          => $gateway->id,
			'available'   => $gateway->is_available(),
			'needs_setup' => $gateway->needs_setup(),
			'supports'    => $gateway->supports,
			'description' => $gateway->get_description(),
			'fields'      => array_keys( $gateway->form_fields ),
			'declared'    => FeaturesUtil::$declared,
			'block'       => array( $block->is_active(), $block->get_payment_method_script_handles(), $block->get_payment_method_data() ),
			'scripts'     => $GLOBALS['stand_in_scripts'],
			'button'      => $gateway->generate_self_test_html( 'self_test', array( 'title' => 'Test <these>' ) ),
		);
	}

	/** Save the settings page; return what is stored now, and the errors. */
	public static function save( array $fields ): array {
		$_POST = array();
		foreach ( $fields as $name => $value ) {
			$_POST[ "woocommerce_streampay_$name" ] = $value;
		}
		do_action( 'woocommerce_update_options_payment_gateways_streampay', self::gateway()->id );
		return array( get_option( Settings::OPTION ), WC_Admin_Settings::$errors );
	}

	/** Delete the plugin. */
	public static function uninstall(): array {
		define( 'WP_UNINSTALL_PLUGIN', true );
		require getenv( 'STAND_IN_PLUGIN' ) . '/uninstall.php';
		return array_column( stand_in_sql( 'SELECT name FROM options' ), 'name' );
	}

	private static function gateway(): Gateway {
		return WC()->payment_gateways()->payment_gateways()['streampay'];
	}
}

// What other plugins do: a total that a filter makes a number.
if ( 'yes' === getenv( 'STAND_IN_FLOAT_TOTAL' ) ) {
	add_filter( 'woocommerce_order_get_total', static fn( mixed $total ): float => (float) $total );
}

$answers = array();
foreach ( json_decode( stream_get_contents( STDIN ), true, 512, JSON_THROW_ON_ERROR ) as $words ) {
	$answers[] = call_user_func_array( array( Shop::class, $words[0] ), array_slice( $words, 1 ) );
}
echo json_encode( $answers, JSON_THROW_ON_ERROR );
