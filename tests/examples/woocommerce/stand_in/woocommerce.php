<?php
/**
 * A stand-in of the WooCommerce functions and classes that the plugin calls, with the contracts of version 9.4.
 */

declare(strict_types=1);

namespace Automattic\WooCommerce\Caches {
	/** Keeps whole orders in a process, as the cache of the order tables does. */
	final class OrderCache {
		public function remove( int $id ): void {
			unset( $GLOBALS['stand_in_order_cache'][ $id ] );
		}
	}
}

namespace Automattic\WooCommerce\Utilities {
	final class FeaturesUtil {
		public static array $declared = array();

		public static function declare_compatibility( string $feature, string $file, bool $is_compatible = true ): bool {
			self::$declared[ $feature ] = $is_compatible;
			return true;
		}
	}
}

namespace Automattic\WooCommerce\Blocks\Payments\Integrations {
	abstract class AbstractPaymentMethodType {
		protected $name     = '';
		protected $settings = array();

		abstract public function initialize();

		public function get_name() {
			return $this->name;
		}

		public function is_active() {
			return true;
		}

		public function get_payment_method_script_handles() {
			return array();
		}

		public function get_payment_method_data() {
			return array();
		}

		public function get_supported_features() {
			return array( 'products' );
		}
	}
}

namespace Automattic\WooCommerce\Blocks\Payments {
	use Automattic\WooCommerce\Blocks\Payments\Integrations\AbstractPaymentMethodType;

	final class PaymentMethodRegistry {
		public array $registered = array();

		public function register( AbstractPaymentMethodType $method ): bool {
			$this->registered[ $method->get_name() ] = $method;
			$method->initialize();
			return true;
		}
	}
}

namespace {
	require __DIR__ . '/orders.php';

	abstract class WC_Settings_API {
		public $id          = '';
		public $form_fields = array();
		public $settings    = array();
		public $errors      = array();

		public function init_settings() {
			$stored         = get_option( $this->get_option_key(), null );
			$defaults       = array_map( static fn( array $field ) => $field['default'] ?? '', $this->form_fields );
			$this->settings = array_merge( $defaults, is_array( $stored ) ? $stored : array() );
		}

		public function get_option_key() {
			return 'woocommerce_' . $this->id . '_settings';
		}

		public function get_option( $key, $empty = null ) {
			return $this->settings[ $key ] ?? $empty;
		}

		public function add_error( $error ) {
			$this->errors[] = $error;
		}

		public function get_errors() {
			return $this->errors;
		}

		/** As WooCommerce does: each field by its own validator, and a field that is refused keeps its old value. */
		public function process_admin_options() {
			$this->init_settings();
			foreach ( $this->form_fields as $key => $field ) {
				if ( 'title' === $field['type'] ) {
					continue;
				}
				try {
					$value                  = $_POST[ 'woocommerce_' . $this->id . '_' . $key ] ?? null;
					$method                 = "validate_{$key}_field";
					$this->settings[ $key ] = match ( true ) {
						method_exists( $this, $method ) => $this->$method( $key, $value ),
						'checkbox' === $field['type']   => null === $value ? 'no' : 'yes',
						default                         => trim( (string) $value ),
					};
				} catch ( Exception $error ) {
					$this->add_error( $error->getMessage() );
				}
			}
			return update_option( $this->get_option_key(), $this->settings, 'yes' );
		}
	}

	abstract class WC_Payment_Gateway extends WC_Settings_API {
		public $title              = '';
		public $description        = '';
		public $method_title       = '';
		public $method_description = '';
		public $has_fields         = false;
		public $supports           = array( 'products' );

		public function get_title() {
			return $this->title;
		}

		public function get_description() {
			return $this->description;
		}

		public function is_available() {
			return 'yes' === $this->get_option( 'enabled' );
		}

		public function needs_setup() {
			return false;
		}

		public function get_return_url( $order = null ) {
			return home_url( '/checkout/order-received/' . $order->get_id() . '/?key=' . $order->get_order_key() );
		}

		public function can_refund_order( $order ) {
			return $order && in_array( 'refunds', $this->supports, true );
		}

		public function process_payment( $order_id ) {
			return array();
		}

		public function process_refund( $order_id, $amount = null, $reason = '' ) {
			return false;
		}

		public function get_transaction_url( $order ) {
			return '';
		}
	}

	final class WC_Admin_Settings {
		public static array $errors = array();

		public static function add_error( string $text ): void {
			self::$errors[] = $text;
		}
	}

	/** `WC()->payment_gateways()->payment_gateways()` gives the list. */
	final class WC_Payment_Gateways {
		private ?array $gateways = null;

		public function payment_gateways(): array {
			if ( null === $this->gateways ) {
				$this->gateways = array();
				foreach ( apply_filters( 'woocommerce_payment_gateways', array() ) as $class ) {
					$gateway                        = new $class();
					$this->gateways[ $gateway->id ] = $gateway;
				}
			}
			return $this->gateways;
		}
	}

	final class WooCommerce {
		private ?WC_Payment_Gateways $gateways = null;

		public function payment_gateways(): WC_Payment_Gateways {
			return $this->gateways ??= new WC_Payment_Gateways();
		}
	}

	function WC(): WooCommerce {
		static $shop = null;
		return $shop ??= new WooCommerce();
	}

	final class Stand_In_Container {
		public function get( string $class ): object {
			return new $class();
		}
	}

	function wc_get_container(): Stand_In_Container {
		return new Stand_In_Container();
	}

	function wc_get_order( mixed $id ): WC_Order|WC_Order_Refund|false {
		$id = (int) $id;
		if ( isset( $GLOBALS['stand_in_order_cache'][ $id ] ) ) {
			return $GLOBALS['stand_in_order_cache'][ $id ]; // However old it is by now.
		}
		$rows = stand_in_sql( 'SELECT type FROM orders WHERE id = ?', array( $id ) );
		if ( array() === $rows ) {
			return false;
		}
		if ( 'shop_order_refund' === $rows[0]['type'] ) {
			return new WC_Order_Refund( $id );
		}
		return $GLOBALS['stand_in_order_cache'][ $id ] = new WC_Order( $id );
	}

	function wc_get_orders( array $query ): array {
		$sql    = 'SELECT id, fields FROM orders WHERE type = ?';
		$values = array( $query['type'] );
		if ( isset( $query['parent'] ) ) {
			$sql     .= ' AND parent = ?';
			$values[] = $query['parent'];
		}
		if ( isset( $query['status'] ) ) {
			$sql   .= ' AND status IN (' . implode( ', ', array_fill( 0, count( $query['status'] ), '?' ) ) . ')';
			$values = array_merge( $values, $query['status'] );
		}
		if ( isset( $query['date_created'] ) ) {
			$sql     .= ' AND created > ?';
			$values[] = (int) ltrim( $query['date_created'], '>' );
		}
		$found = array();
		foreach ( stand_in_sql( "$sql ORDER BY id DESC LIMIT " . (int) $query['limit'], $values ) as $row ) {
			$method = json_decode( $row['fields'], true )['payment_method'] ?? '';
			if ( ! isset( $query['payment_method'] ) || $query['payment_method'] === $method ) {
				$found[] = wc_get_order( (int) $row['id'] );
			}
		}
		return $found;
	}

	/** In the order of WooCommerce: written first, then paid back, deleted when that is refused, then the order's state. */
	function wc_create_refund( array $arguments ): WC_Order_Refund|WP_Error {
		$order     = wc_get_order( $arguments['order_id'] );
		$remaining = WC_Order::cents( $order->get_remaining_refund_amount() );
		$cents     = WC_Order::cents( $arguments['amount'] );
		if ( 0 >= $cents || $cents > $remaining ) {
			return new WP_Error( 'error', 'Invalid refund amount.' );
		}
		$refund = WC_Order_Refund::of( $order->get_id(), sprintf( '%d.%02d', intdiv( $cents, 100 ), $cents % 100 ), $arguments['reason'] ?? '' );
		do_action( 'woocommerce_create_refund', $refund, $arguments );
		$refund->save();
		if ( $arguments['refund_payment'] ?? false ) {
			$gateway = WC()->payment_gateways()->payment_gateways()[ $order->get_payment_method() ];
			$result  = $gateway->can_refund_order( $order ) ? $gateway->process_refund( $order->get_id(), $refund->get_amount(), $refund->get_reason() ) : new WP_Error( 'error', 'No refunds.' );
			if ( is_wp_error( $result ) || true !== $result ) {
				$refund->delete( true );
				return is_wp_error( $result ) ? $result : new WP_Error( 'error', 'The refund failed.' );
			}
			$refund->set_field( 'refunded_payment', true );
			$refund->save();
		}
		stand_in_log( 'refund', $order->get_id(), $refund->get_amount() );
		if ( $cents === $remaining ) {
			$order->update_status( 'refunded' );
		}
		return $refund;
	}

	/** What its timer does to unpaid orders. */
	function stand_in_cancel_unpaid( WC_Order $order ): bool {
		if ( ! apply_filters( 'woocommerce_cancel_unpaid_order', 'checkout' === $order->get_created_via(), $order ) ) {
			return false;
		}
		return $order->update_status( 'cancelled', 'Unpaid order cancelled - time limit reached.' );
	}

	function wc_format_decimal( mixed $number, int|false $places = false ): string {
		return false === $places ? rtrim( rtrim( sprintf( '%.6F', $number ), '0' ), '.' ) : number_format( (float) $number, $places, '.', '' );
	}

	function wc_get_price_decimals(): int {
		return 2;
	}

	function get_woocommerce_currency(): string {
		return 'USD';
	}

	function wc_add_notice( string $text, string $kind ): void {
		$GLOBALS['stand_in_notices'][] = $text;
	}

	function is_wc_endpoint_url( string $name ): bool {
		return isset( $GLOBALS['stand_in_query'][ $name ] );
	}

	final class Stand_In_Logger {
		public function warning( string $line, array $context ): void {
			stand_in_log( 'warning', 0, $line );
		}

		public function debug( string $line, array $context ): void {
			stand_in_log( 'debug', 0, $line );
		}
	}

	function wc_get_logger(): Stand_In_Logger {
		return new Stand_In_Logger();
	}

	function as_has_scheduled_action( string $hook, array $arguments, string $group ): bool {
		return null !== get_option( "scheduled_$hook", null );
	}

	function as_schedule_recurring_action( int $at, int $every, string $hook, array $arguments, string $group ): int {
		stand_in_log( 'scheduled', 0, "$hook $every" );
		update_option( "scheduled_$hook", $every );
		return 1;
	}

	function as_unschedule_all_actions( string $hook, array $arguments, string $group ): void {
		delete_option( "scheduled_$hook" );
	}
}
